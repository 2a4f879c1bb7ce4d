import MartletCore
import MartletTelemetry
import MartletTransport
import Synchronization

/// Decisions that need a request's body: its model, or whether its answer is known already.
extension GatewayPolicy {
    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) {
        if let undecided = plan.state as? UndecidedRequest {
            do throws(ForwardingRefusal) {
                guard let body else {
                    release(undecided.takeGrant())
                    throw ForwardingRefusal(
                        ServingError(
                            .resourceExhausted,
                            "This request goes by the model that its body names, which is longer "
                                + "than messages may be (--max-message-bytes)"))
                }
                let decided = try decide(undecided, body: body)
                // The cache asks for all of the body, of which this may be the first message.
                completion(
                    decided.awaitedBodyBytes == nil ? .forward(decided) : .awaitBody(decided))
            } catch {
                completion(.refuse(error))
            }
            return
        }
        let state = plan.state as? RequestState
        let plan = GatewayPolicy.timed(plan, state?.tokenTimes, body: body)
        if let body { state?.read(body) }
        guard let state, let caching = state.caching, let body,
            body.count <= caching.policy.requestBytesMax,
            let key = caching.cache.key(caching, body: body)
        else {
            var uncached = plan
            uncached.keptAnswerBytes = (plan.state as? RequestState)?.shadow?.comparedBytes
            completion(.forward(uncached))
            return
        }
        look(up: key, caching, state, plan, completion)
    }

    /// A plan whose times are those of the tokens that the body asks for.
    private static func timed(
        _ plan: ForwardingPlan, _ times: TokenTimes?, body: [UInt8]?
    ) -> ForwardingPlan {
        guard let times else { return plan }
        var timed = plan
        times.limit(&timed, for: body.flatMap { CompletionRequest($0) })
        return timed
    }

    private func look(
        up key: CacheKey, _ caching: RequestState.Caching, _ state: RequestState,
        _ plan: ForwardingPlan, _ completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) {
        let lookup = caching.cache.lookup(key, ageMax: caching.ageMax) { outcome in
            switch outcome {
            case .lead: completion(.forward(plan))
            case .answer(let answer, let age):
                state.flight.withLock { $0 = nil }
                completion(.answer(answer.fromCache("shared", age: age)))
            }
        }
        switch lookup {
        case .hit(let answer, let age): completion(.answer(answer.fromCache("hit", age: age)))
        case .wait(let ticket): state.flight.withLock { $0 = ticket }
        case .miss(nil): completion(.forward(plan))
        case .miss(let ticket?):
            state.flight.withLock { $0 = ticket }
            // Whoever wants a new answer does not want another gateway's.
            guard caching.ageMax == nil else {
                completion(.forward(plan))
                return
            }
            caching.cache.lookupShared(key, for: ticket) { found in
                guard let found, caching.keeps(found.answer) else {
                    completion(.forward(plan))
                    return
                }
                state.flight.withLock { $0 = nil }
                caching.cache.found(ticket, found)
                completion(.answer(found.answer.fromCache("hit", age: found.age)))
            }
        }
    }

    private func decide(
        _ undecided: UndecidedRequest, body: [UInt8]
    ) throws(ForwardingRefusal) -> ForwardingPlan {
        let request = undecided.request
        var grant = undecided.takeGrant()
        do throws(ForwardingRefusal) {
            let rules = current
            let model = try GatewayPolicy.model(of: request, body: body)
            if model == nil, let grant, grant.awaitsModel {
                throw refused(.noModel)
            }
            let asked = model.map { GatewayPolicy.asked($0, of: request, rules) }
            if let asked, let before = grant, before.awaitsModel {
                switch access?.control.admit(model: asked, to: before, now: now) {
                case .admitted(let admitted)?: grant = admitted
                case .refused(let refusal)?:
                    // Its lease was given back.
                    grant = nil
                    throw refused(refusal)
                case nil: break
                }
            }
            let query = RouteQuery(
                authority: request.authority, method: request.method, path: undecided.path,
                model: asked.map { .asked($0) } ?? .none)
            guard
                case .route(let index) = rules.table.decide(query, fields: request.fields)
            else { throw GatewayPolicy.noRoute(request) }
            let route = rules.routes[index]
            let limited = try GatewayPolicy.limitedBody(
                body, of: request, undecided.path, route, grant, asked)
            var plan = try plan(
                request, undecided.path, ModelNaming(request), route, rules, grant,
                asked: model, call: VersionedCall(path: request.path, frame: body),
                lengthIsOurs: limited != nil && !OutputTokenLimit.isAsked(in: body))
            if let limited { plan.replaceBody(by: limited) }
            return plan
        } catch {
            release(grant)
            throw error
        }
    }

    private func refused(_ refusal: AccessRefusal) -> ForwardingRefusal {
        journal.didRefuse(refusal.reason)
        return ForwardingRefusal(refusal.error, fields: HeaderFields(refusal.fields))
    }

    private static func model(
        of request: ForwardedRequest, body: [UInt8]
    ) throws(ForwardingRefusal) -> String? {
        guard request.api == .grpc else { return MessageModel.model(inJSON: body) }
        do throws(ServingError) {
            // What follows is of a stream whose first message decides.
            let length = body.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) }
            return try MessageModel.model(
                inCall: request.path, frame: Array(body.prefix(5 + length)))
        } catch {
            throw ForwardingRefusal(error)
        }
    }
}

extension ForwardingPlan {
    /// Has other content sent in place of the body that was awaited.
    mutating func replaceBody(by body: [UInt8]) {
        newBody = body
        var changes = changes ?? ForwardingChanges()
        changes.contentLength = body.count
        self.changes = changes
    }
}
