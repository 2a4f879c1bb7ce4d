import Foundation
import Logging
import MartletCore
import ServiceLifecycle

/// Renews the certificates of a cluster's gateway and nodes while they run, long before they
/// expire.
///
/// The key of their authority is gone, so there is a new authority each time. At first everybody
/// trusts both authorities; then everybody shows a certificate of the new one; in the end nobody
/// trusts the old one. In between all have time to read the files again, so that nobody is shown
/// what they do not trust, and connections stay as they are.
struct ClusterRenewal: Service {
    /// Waits until every process has read what was written.
    typealias Settling = @Sendable () async throws -> Void

    /// How old certificates become; months are left to try again.
    static let age: TimeInterval = 30 * 86_400

    /// Pause between two looks at how old they are, and after a renewal that failed.
    private static let interval: Duration = .seconds(6 * 3600)

    /// Processes look at their files every second.
    private static let settlingTime: Duration = .seconds(60)

    let certificates: ClusterCertificates
    /// By which the nodes are reached.
    let host: String
    let logger: Logger
    var settle: Settling = { try await Task.sleep(for: ClusterRenewal.settlingTime) }

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            // The clock that certificates expire by, which goes on while the machine sleeps.
            var made = Date()
            while true {
                try await Task.sleep(for: ClusterRenewal.interval)
                if Date().timeIntervalSince(made) >= ClusterRenewal.age, try await tryToRenew() {
                    made = Date()
                }
            }
        }
    }

    /// Renews them, or says why that is not possible now.
    ///
    /// - Returns: whether they were renewed.
    /// - Throws: `CancellationError`.
    private func tryToRenew() async throws -> Bool {
        do {
            try await renew()
            logger.info(
                "certificates of gateway and nodes renewed",
                metadata: ["days": "\(ClusterCertificates.days)"])
            return true
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.error(
                "certificates of gateway and nodes not renewed; those before stay in use",
                metadata: ["folder": "\(certificates.folder)", "error": "\(error)"])
            return false
        }
    }

    /// Renews them.
    ///
    /// - Throws: `ServingError`, or what ``settle`` throws. Everybody is still trusted by everybody
    ///   then, and it may be tried again.
    func renew(now: Date = Date()) async throws {
        let new = try ClusterCertificates.made(for: host, in: certificates.folder, now: now)
        defer { new.remove() }
        let authority = try new.text(of: "ca.pem")
        let before = try certificates.shownAuthorities()
        try certificates.trust([authority] + before, by: new)
        try await settle()
        try certificates.show(new)
        try await settle()
        try certificates.trust([authority], by: new)
    }
}

extension ClusterCertificates {
    private static let marker = "-----BEGIN CERTIFICATE-----"

    /// Authorities that signed what gateway and nodes show: of both, should a renewal have ended
    /// between them.
    fileprivate func shownAuthorities() throws -> [String] {
        var authorities: [String] = []
        for name in ["node.pem", "gateway.pem"] {
            // The certificate itself comes first.
            let parts = try text(of: name).components(separatedBy: Self.marker).dropFirst(2)
            let authority = parts.map { Self.marker + $0 }.joined()
            if !authorities.contains(authority) { authorities.append(authority) }
        }
        return authorities
    }

    /// Has everybody trust these authorities, and no others.
    ///
    /// - Parameters:
    ///   - authorities: their certificates in PEM.
    ///   - staging: a folder beside, from where files come here whole.
    /// - Throws: `ServingError` if a file cannot be written.
    fileprivate func trust(_ authorities: [String], by staging: ClusterCertificates) throws {
        let name = "ca.pem"
        let staged = "\(staging.folder)/\(name)"
        do {
            try Data(authorities.joined().utf8).write(to: URL(fileURLWithPath: staged))
        } catch {
            throw ServingError(.internal, "'\(staged)' cannot be written", cause: error)
        }
        try take(name, from: staging)
    }

    /// Has gateway and nodes show what is in another folder.
    fileprivate func show(_ new: ClusterCertificates) throws {
        for name in ClusterCertificates.names where name != "ca.pem" {
            try take(name, from: new)
        }
    }

    private func take(_ name: String, from other: ClusterCertificates) throws {
        guard rename("\(other.folder)/\(name)", "\(folder)/\(name)") == 0 else {
            throw ServingError(
                .internal,
                "'\(folder)/\(name)' cannot be replaced: \(String(cString: strerror(errno)))")
        }
    }

    fileprivate func text(of name: String) throws -> String {
        do {
            return try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
        } catch {
            throw ServingError(.notFound, "'\(folder)/\(name)' cannot be read", cause: error)
        }
    }
}
