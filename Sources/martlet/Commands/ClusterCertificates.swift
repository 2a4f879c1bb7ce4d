import Foundation
import MartletCore
import MartletOperations
import MartletTransport
import ServiceLifecycle

/// The folder of certificates by which a gateway and its nodes know each other.
///
/// It holds `ca.pem`, the authority of both; `node.pem` and `node.key`, of all nodes; `gateway.pem`
/// and `gateway.key`, of the gateway and of `martlet up` itself.
struct ClusterCertificates: Sendable, Equatable {
    /// The files of a folder that is complete.
    static let names = ["ca.pem", "node.pem", "node.key", "gateway.pem", "gateway.key"]

    /// How long they are good for; they are renewed before, see ``ClusterRenewal``.
    static let days = 90

    /// The folder.
    let folder: String

    private func file(_ name: String) -> String { "\(folder)/\(name)" }

    /// The flags of a node.
    var nodeArguments: [String] {
        [
            "--tls-certificate=\(file("node.pem"))", "--tls-key=\(file("node.key"))",
            "--tls-client-ca=\(file("ca.pem"))",
        ]
    }

    /// The flags of the gateway.
    var gatewayArguments: [String] {
        [
            "--upstream-tls-ca=\(file("ca.pem"))",
            "--upstream-tls-certificate=\(file("gateway.pem"))",
            "--upstream-tls-key=\(file("gateway.key"))",
        ]
    }

    /// How `martlet up` asks nodes.
    var client: ClientTLS {
        ClientTLS(
            authorities: .file(file("ca.pem")),
            identity: .init(
                certificateChain: .file(file("gateway.pem")),
                privateKey: .file(file("gateway.key"))))
    }

    /// Makes a folder that nobody else can look into, with certificates of a new authority.
    ///
    /// The authority's key is gone when this returns: nobody can make a further certificate.
    ///
    /// - Parameters:
    ///   - host: by which the nodes are reached.
    ///   - parent: where the folder is made.
    ///   - now: the date.
    /// - Returns: the files of all.
    /// - Throws: `ServingError`.
    static func made(
        for host: String, in parent: String = FileManager.default.temporaryDirectory.path,
        now: Date = Date()
    ) throws -> ClusterCertificates {
        let certificates = ClusterCertificates(folder: try privateFolder(in: parent))
        do {
            let authority = AuthorityFolder(path: certificates.folder)
            let node = try CertificateProfile.node(hosts: [host], days: days, curve: .p256)
            let gateway = try CertificateProfile.client(
                name: "gateway", tenant: nil, days: days, curve: .p256)
            _ = try authority.found(
                name: nil, days: days, curve: .p256, replacing: false, now: now)
            _ = try authority.issue(node, fileName: "node", replacing: false, now: now)
            _ = try authority.issue(gateway, fileName: "gateway", replacing: false, now: now)
            try FileManager.default.removeItem(atPath: certificates.file("ca.key"))
            return certificates
        } catch {
            certificates.remove()
            throw error
        }
    }

    private static func privateFolder(in parent: String) throws -> String {
        var path = Array("\(parent)/martlet-tls-XXXXXX".utf8CString)
        guard mkdtemp(&path) != nil else {
            throw ServingError(
                .failedPrecondition,
                "The folder of the cluster's certificates cannot be made in '\(parent)'; name "
                    + "another place for temporary files by the variable TMPDIR")
        }
        return String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Removes the folder.
    func remove() {
        try? FileManager.default.removeItem(atPath: folder)
    }
}

/// Keeps files of a temporary folder from being taken for forgotten: systems remove what has lain
/// there for days, and a node that is started again needs them.
struct FilesInUse: Service {
    private static let interval: Duration = .seconds(6 * 3600)

    let certificates: ClusterCertificates

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.interval)
                for name in ClusterCertificates.names {
                    utimes("\(certificates.folder)/\(name)", nil)
                }
                utimes(certificates.folder, nil)
            }
        }
    }
}
