import Foundation
import MartletOperations
import MartletTransport
import Testing

@testable import martlet

@Suite("Certificates of a cluster")
struct ClusterCertificatesTests {
    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? Int ?? 0) & 0o777
    }

    @Test func folder_isPrivateAndHoldsNoKeyThatSigns() throws {
        let certificates = try ClusterCertificates.made(for: "127.0.0.1")
        defer { certificates.remove() }
        let found = try FileManager.default.contentsOfDirectory(atPath: certificates.folder)
        #expect(Set(found) == Set(ClusterCertificates.names))
        #expect(try mode(certificates.folder) == 0o700)
        #expect(try mode("\(certificates.folder)/node.key") == 0o600)
        #expect(try mode("\(certificates.folder)/gateway.key") == 0o600)
        let eventLoops = EventLoops(count: 1)
        #expect(throws: Never.self) {
            try ControlClient(eventLoops: eventLoops, tls: certificates.client)
        }
    }

    @Test func clusters_shareNoAuthority() throws {
        let first = try ClusterCertificates.made(for: "localhost")
        defer { first.remove() }
        let second = try ClusterCertificates.made(for: "localhost")
        defer { second.remove() }
        let authorities = try [first, second].map {
            try String(contentsOfFile: "\($0.folder)/ca.pem", encoding: .utf8)
        }
        #expect(authorities[0] != authorities[1])
    }

    @Test func remove_leavesNothing() throws {
        let certificates = try ClusterCertificates.made(for: "::1")
        certificates.remove()
        #expect(!FileManager.default.fileExists(atPath: certificates.folder))
    }

    @Test func hostThatCannotBeInACertificate_leavesNothingBehind() throws {
        let parent = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-parent-\(UUID())").path
        try FileManager.default.createDirectory(
            atPath: parent, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: parent) }
        #expect(throws: (any Error).self) {
            try ClusterCertificates.made(for: "1.2.3", in: parent)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: parent) == [])
    }

    @Test func folderThatCannotBeMade_isToldWithTheRemedy() {
        let error = #expect(throws: (any Error).self) {
            try ClusterCertificates.made(for: "localhost", in: "/nonexistent")
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("TMPDIR"))
    }
}
