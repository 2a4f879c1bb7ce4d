internal import Foundation
import MartletConfiguration
import MartletCore
import MartletTransport

/// Who may ask what on the admin port.
struct AdminPortAccess: Sendable {
    /// Why a request is refused.
    typealias Refusal = BrowserGuard.Refusal

    private let browsers: BrowserGuard
    /// What operators show; `nil` where there is no file of it.
    private let token: SecretDigest?
    private let guardsReads: Bool

    /// Creates the access of a port.
    ///
    /// - Parameters:
    ///   - settings: what the policy says of it.
    ///   - host: the address or name that it is bound to, which a flag may say too.
    /// - Throws: `ConfigurationError` or `ServingError` when the token cannot be read.
    init(_ settings: TrafficPolicy.Admin, host: String) throws {
        try self.init(settings, host: host, token: settings.token())
    }

    init(_ settings: TrafficPolicy.Admin, host: String, token: String?) {
        browsers = BrowserGuard(listeningOn: host, hosts: settings.hosts)
        self.token = token.map { SecretDigest(of: $0) }
        let isPrivate = BrowserGuard.isLoopback(host)
        guardsReads = token != nil && (settings.reads ?? (isPrivate ? .open : .token)) == .token
    }

    /// Why a request is refused; nil where it is not.
    func refusal(of request: HTTPRequest) -> Refusal? {
        let isPublic = request.method == "GET" && AdminPortAccess.isPublic(request.path)
        if let refusal = browsers.refusal(of: request, isPublic: isPublic) { return refusal }
        if isPublic { return nil }
        let isChange = request.method != "GET"
        guard let token else {
            guard isChange, !AdminPortAccess.isFromThisMachine(request) else { return nil }
            return Refusal(
                status: 403,
                message: "Without admin.token_file this is for programs on the machine itself")
        }
        guard isChange || guardsReads, !shows(token, request.headers) else { return nil }
        return Refusal(
            status: 401, message: "Send the admin token as 'Authorization: Bearer TOKEN'")
    }

    /// What monitoring asks for, by whichever name it knows the port, and without a token.
    private static func isPublic(_ path: String) -> Bool {
        ["/metrics", "/healthz/live", "/healthz/ready"].contains(path)
    }

    /// Whether a program on this machine asks, and not through a proxy beside the gateway.
    private static func isFromThisMachine(_ request: HTTPRequest) -> Bool {
        let isForwarded = ["x-forwarded-for", "forwarded"].contains {
            request.headers.first($0) != nil
        }
        return !isForwarded && PeerAddress.isLoopback(request.context.remoteAddress)
    }

    private func shows(_ token: SecretDigest, _ headers: HeaderFields) -> Bool {
        let shown = headers.fields.filter { $0.name.lowercased() == "authorization" }
        // Of two, nobody knows which one whoever stands in between has looked at.
        guard shown.count == 1, let value = shown.first?.value else { return false }
        let scheme = "bearer "
        guard value.prefix(scheme.count).lowercased() == scheme else { return false }
        return SecretDigest(of: String(value.dropFirst(scheme.count))).isSame(as: token)
    }
}

extension TrafficPolicy.Admin {
    /// The token that operators show; `nil` without a file.
    fileprivate func token() throws -> String? {
        try tokenFile.map { file in
            let text = try ConfigurationFile.text(of: file, bytesMax: 4096)
            let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
            guard !token.isEmpty else {
                throw ServingError.invalidArgument("The admin token file \(file) is empty")
            }
            return token
        }
    }
}
