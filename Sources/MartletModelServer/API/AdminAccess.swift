import MartletCore
import MartletTransport

/// Who may load and unload models, and change what a node serves, by request.
public enum AdminAccess: String, Sendable, Hashable, CaseIterable {
    /// Programs on the node's own machine; no web pages, no forwarded requests.
    case loopback
    /// Whoever can reach the node.
    case any
    /// Nobody.
    case none

    /// Refuses a request that is not allowed to change what the node serves.
    ///
    /// - Parameters:
    ///   - remoteAddress: the peer's address and port.
    ///   - headers: the request's header fields.
    /// - Throws: `ServingError` (`PERMISSION_DENIED`).
    func check(remoteAddress: String, headers: HeaderFields) throws {
        switch self {
        case .any: return
        case .none:
            throw ServingError(
                .permissionDenied, "Changing what is served is switched off (--admin-api none)")
        case .loopback:
            guard AdminAccess.isDirect(remoteAddress, headers) else {
                throw ServingError(
                    .permissionDenied,
                    "Changing what is served is allowed only from the node's own machine, which "
                        + "is called by its address or 'localhost'; --admin-api any allows it from "
                        + "everywhere")
            }
        }
    }

    /// Whether a request comes from a program on this machine and by no detour.
    static func isDirect(_ remoteAddress: String, _ headers: HeaderFields) -> Bool {
        // Web pages reach loopback through the browser, others through a gateway beside us.
        ["x-forwarded-for", "forwarded"].allSatisfy { headers.first($0) == nil }
            && PeerAddress.isLoopback(remoteAddress) && !BrowserGuard.mayBeFromPage(headers)
    }
}
