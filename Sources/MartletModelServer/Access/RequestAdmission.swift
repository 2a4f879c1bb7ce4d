import MartletCore
import MartletTransport

/// Decides which requests need an API key, and refuses those without one.
struct RequestAdmission {
    /// The keys that are good; `nil` where none is needed.
    let keys: APIKeyFile?

    /// Whether the priorities of requests count.
    var readsPriorities = false

    /// The field that holds a request's priority.
    static let priorityField = "x-martlet-priority"

    /// Refuses a request that needs a key and shows none.
    ///
    /// Health checks need none, nor does the question that browsers ask before a request; metrics
    /// need none from the node's own machine.
    ///
    /// - Parameters:
    ///   - operation: what is asked for; `nil` if that is not understood.
    ///   - headers: the request's header fields or metadata.
    ///   - context: whose request it is.
    /// - Returns: whose request it is; empty where no key is needed.
    /// - Throws: `ServingError` (`UNAUTHENTICATED`).
    @discardableResult
    func check(
        operation: String?, headers: HeaderFields, context: RequestContext
    ) throws -> String {
        guard let keys else { return "" }
        switch operation {
        case "live", "ready", "health", CrossOrigin.preflight.name: return ""
        case "metrics" where AdminAccess.isDirect(context.remoteAddress, headers): return ""
        default: return try keys.keys.check(headers)
        }
    }

    /// The place of a request among others.
    ///
    /// - Parameters:
    ///   - tenant: whose request it is.
    ///   - headers: its header fields or metadata.
    /// - Returns: the place.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a priority that there is not.
    func standing(tenant: String, headers: HeaderFields) throws -> TaskStanding {
        guard readsPriorities, let priority = try RequestAdmission.priority(in: headers) else {
            return TaskStanding(tenant: tenant)
        }
        return TaskStanding(priority: priority, tenant: tenant)
    }

    /// The priority that a request asks for; `nil` for one that says nothing.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a priority that there is not.
    static func priority(in headers: HeaderFields) throws -> TaskPriority? {
        guard let text = headers.first(RequestAdmission.priorityField) else { return nil }
        guard let priority = TaskPriority(rawValue: text.lowercased()) else {
            let names = TaskPriority.allCases.map(\.rawValue).joined(separator: ", ")
            throw ServingError.invalidArgument(
                "\(RequestAdmission.priorityField) is '\(text.prefix(64))'; use one of \(names)")
        }
        return priority
    }
}
