import MartletCore
import MartletTransport

/// Decides which requests need an API key, refuses those without one, and says whose a request is
/// and which others it goes before.
struct RequestAdmission {
    /// The keys that are good; `nil` where none is needed.
    let keys: APIKeyFile?

    /// Whether the priorities of requests count.
    var readsPriorities = false

    /// Whether whoever sends requests is believed what ``GatewayFields`` say; else nobody gets
    /// another tenant by them, nor a priority above normal.
    var trustsGateway = false

    /// Refuses a request that needs a key and shows none.
    ///
    /// Health checks need none, nor does the question that browsers ask before a request; metrics
    /// need none from the node's own machine.
    ///
    /// - Parameters:
    ///   - operation: what is asked for; `nil` if that is not understood.
    ///   - headers: the request's header fields or metadata.
    ///   - context: whose request it is.
    /// - Returns: whose request it is: the name of its key, or what a trusted gateway says, or
    ///   both; empty for nobody in particular.
    /// - Throws: `ServingError` (`UNAUTHENTICATED`, or `INVALID_ARGUMENT` for a tenant that there
    ///   cannot be).
    @discardableResult
    func check(
        operation: String?, headers: HeaderFields, context: RequestContext
    ) throws -> String {
        guard let keys else { return try tenant(in: headers, of: "") }
        switch operation {
        case "live", "ready", "health", CrossOrigin.preflight.name: return ""
        case "metrics" where AdminAccess.isDirect(context.remoteAddress, headers): return ""
        default: return try tenant(in: headers, of: keys.keys.check(headers))
        }
    }

    /// Whose request it is that came with a key of this name; of an empty one, without a key.
    ///
    /// What a gateway says divides those of its key further; it never leads out of them.
    private func tenant(in headers: HeaderFields, of key: String) throws -> String {
        guard trustsGateway, let tenant = headers.first(GatewayFields.tenant) else { return key }
        guard GatewayFields.isTenantValue(tenant) else {
            throw ServingError.invalidArgument(
                "\(GatewayFields.tenant) has \(tenant.utf8.count) bytes or other characters; "
                    + "send 1 to \(GatewayFields.tenantBytesMax) bytes of visible ASCII")
        }
        // No name of a key has a colon.
        return "\(key):\(tenant)"
    }

    /// The place of a request among others.
    ///
    /// - Parameters:
    ///   - tenant: whose request it is.
    ///   - headers: its header fields or metadata.
    /// - Returns: the place.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a priority that there is not.
    func standing(tenant: String, headers: HeaderFields) throws -> TaskStanding {
        guard readsPriorities, let priority = try priority(in: headers) else {
            return TaskStanding(tenant: tenant)
        }
        return TaskStanding(priority: priority, tenant: tenant)
    }

    /// The priority that a request gets of what it asks for; `nil` for one that says nothing.
    ///
    /// Anybody may let others go first; only who is trusted may go before them.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a priority that there is not.
    func priority(in headers: HeaderFields) throws -> TaskPriority? {
        guard let text = headers.first(GatewayFields.priority) else { return nil }
        guard let priority = TaskPriority(rawValue: text.lowercased()) else {
            let names = TaskPriority.allCases.map(\.rawValue).joined(separator: ", ")
            throw ServingError.invalidArgument(
                "\(GatewayFields.priority) is '\(text.prefix(64))'; use one of \(names)")
        }
        return trustsGateway ? priority : max(priority, .normal)
    }
}
