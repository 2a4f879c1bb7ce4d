import MartletCore
import MartletTelemetry
import MartletTransport

extension AccessIdentity {
    /// The most tokens that one answer may have; nil for any number.
    ///
    /// - Parameter model: the model that is asked; nil where it is not known, or does not matter.
    /// - Returns: the least of what holds for the caller.
    func outputTokensMax(of model: AskedModel?) -> Int? {
        quotas.flatMap { quota in
            let models = model.map { quota.limits.limits(of: $0).map(\.limits) } ?? []
            return ([quota.limits.total] + models).compactMap(\.tokens.outputPerRequest)
        }.min()
    }
}

extension GatewayPolicy {
    /// Whether a request is held to a length that its body has to say, as far as its head tells;
    /// models' own limits are asked for by ``AccessGrant/awaitsModel``.
    static func limitsLength(
        of request: ForwardedRequest, _ path: RequestPath, _ route: RouteRuntime?,
        _ grant: AccessGrant?
    ) -> Bool {
        guard call(of: request, path) != nil else { return false }
        return route?.settings.limits.outputTokens != nil
            || grant?.identity.outputTokensMax(of: nil) != nil
    }

    /// The body that is sent in place of a request's own, by the limits of its route and of its
    /// credential; nil where it stays as it is.
    static func limitedBody(
        _ body: [UInt8], of request: ForwardedRequest, _ path: RequestPath, _ route: RouteRuntime,
        _ grant: AccessGrant?, _ model: AskedModel?
    ) throws(ForwardingRefusal) -> [UInt8]? {
        guard let call = call(of: request, path) else { return nil }
        let limits = [
            route.settings.limits.outputTokens, grant?.identity.outputTokensMax(of: model),
        ]
        guard let most = limits.compactMap(\.self).min() else { return nil }
        do throws(ServingError) {
            return try OutputTokenLimit(most: most).applied(to: body, of: call)
        } catch {
            throw ForwardingRefusal(error)
        }
    }

    /// The body that is sent in place of one that asks for another model; nil where it stays as it
    /// is.
    ///
    /// - Throws: `ServingError` where it asks for more than the credential allows of that model.
    func limitedBody(
        _ body: [UInt8], of call: OpenAICall, asking model: String, _ grant: AccessGrant?
    ) throws(ServingError) -> [UInt8]? {
        let asked = GatewayPolicy.asked(model, current)
        guard call.hasChosenLength, let most = grant?.identity.outputTokensMax(of: asked) else {
            return nil
        }
        return try OutputTokenLimit(most: most).applied(to: body, of: call)
    }

    private static func call(of request: ForwardedRequest, _ path: RequestPath) -> OpenAICall? {
        guard request.api == .rest, request.method == "POST",
            let call = OpenAICall(path: path.canonical), call.hasChosenLength
        else { return nil }
        return call
    }
}
