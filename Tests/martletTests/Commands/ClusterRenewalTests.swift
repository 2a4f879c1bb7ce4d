import Foundation
import Logging
import MartletTransport
import Synchronization
import Testing

@testable import martlet

@Suite("Renewal of a cluster's certificates")
struct ClusterRenewalTests {
    /// What the folder holds between two steps.
    private struct Snapshot: Sendable {
        /// By names of files.
        let texts: [String: String]

        init(_ certificates: ClusterCertificates) throws {
            var texts: [String: String] = [:]
            for name in ClusterCertificates.names {
                let file = "\(certificates.folder)/\(name)"
                texts[name] = try String(contentsOfFile: file, encoding: .utf8)
            }
            self.texts = texts
        }

        var trusted: String { texts["ca.pem"] ?? "" }

        /// The authority behind a certificate that is shown.
        func shown(_ name: String) -> String {
            let marker = "-----BEGIN CERTIFICATE-----"
            let parts = (texts[name] ?? "").components(separatedBy: marker).dropFirst(2)
            return parts.map { marker + $0 }.joined()
        }
    }

    private struct Interruption: Error {}

    private let certificates: ClusterCertificates
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        certificates = try ClusterCertificates.made(for: "127.0.0.1")
    }

    /// Renews them, and gives what the folder held before, between the steps, and behind.
    private func renew(interruptedAfter steps: Int = .max) async throws -> [Snapshot] {
        let all = Mutex([try Snapshot(certificates)])
        let renewal = ClusterRenewal(
            certificates: certificates, host: "127.0.0.1", logger: logger
        ) { [certificates] in
            let snapshot = try Snapshot(certificates)
            let count = all.withLock { all in
                all.append(snapshot)
                return all.count - 1
            }
            if count == steps { throw Interruption() }
        }
        do {
            try await renewal.renew()
            #expect(steps == .max)
        } catch is Interruption {}
        return all.withLock { $0 } + [try Snapshot(certificates)]
    }

    /// Whether processes that have read one of two snapshots trust those that have read the other.
    private func assertTrust(_ snapshots: [Snapshot]) {
        for (one, next) in zip(snapshots, snapshots.dropFirst()) {
            for name in ["node.pem", "gateway.pem"] {
                #expect(!one.shown(name).isEmpty)
                for (shower, truster) in [(one, one), (one, next), (next, one), (next, next)] {
                    #expect(truster.trusted.contains(shower.shown(name)))
                }
            }
        }
    }

    @Test func renewal_showsNobodyWhatTheyDoNotTrust() async throws {
        defer { certificates.remove() }
        let snapshots = try await renew()
        #expect(snapshots.count == 4)
        assertTrust(snapshots)
    }

    @Test func renewal_leavesAFolderLikeThatBefore_withNothingOfTheOld() async throws {
        defer { certificates.remove() }
        let snapshots = try await renew()
        let (first, last) = (try #require(snapshots.first), try #require(snapshots.last))
        for name in ClusterCertificates.names { #expect(first.texts[name] != last.texts[name]) }
        #expect(!last.trusted.contains(first.trusted))
        let found = try FileManager.default.contentsOfDirectory(atPath: certificates.folder)
        #expect(Set(found) == Set(ClusterCertificates.names))
        for name in ["node.key", "gateway.key"] {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: "\(certificates.folder)/\(name)")
            #expect((attributes[.posixPermissions] as? Int ?? 0) & 0o777 == 0o600)
        }
        // The gateway's certificate and its key belong together.
        let eventLoops = EventLoops(count: 1)
        #expect(throws: Never.self) {
            try ControlClient(eventLoops: eventLoops, tls: certificates.client)
        }
        await eventLoops.shutDown()
    }

    @Test(arguments: [1, 2])
    func interruptedRenewal_isMadeAnew(after steps: Int) async throws {
        defer { certificates.remove() }
        let interrupted = try await renew(interruptedAfter: steps)
        let snapshots = try await renew()
        assertTrust(interrupted + snapshots)
        let last = try #require(snapshots.last)
        #expect(last.trusted == last.shown("gateway.pem"))
        #expect(last.trusted == last.shown("node.pem"))
    }
}
