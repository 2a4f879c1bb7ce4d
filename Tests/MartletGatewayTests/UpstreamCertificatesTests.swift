import Foundation
import Logging
import MartletTelemetry
import MartletTransport
import Synchronization
import Testing

@testable import MartletGateway

@Suite("Certificates towards endpoints")
struct UpstreamCertificatesTests {
    private let file: URL
    private let pool: PoolRuntime
    private let certificates: UpstreamCertificates

    init() throws {
        file = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-authority-\(UUID().uuidString).pem")
        let text = "pools: [{name: p, endpoints: [a:1], tls: {ca_file: \(file.path)}}]"
        let rules = GatewayRules(try readPolicy(text).policy, now: .zero)
        pool = try #require(rules.pools.first)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let policy = GatewayPolicy(
            rules: rules, journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: logger)
        certificates = UpstreamCertificates(of: policy, logger: logger)
    }

    private func look(after content: String) throws -> Int {
        try content.write(to: file, atomically: true, encoding: .utf8)
        certificates.look()
        return pool.optionsVersion.load(ordering: .acquiring)
    }

    @Test func filesThatChange_areReadAgain_andOthersAreNot() throws {
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(try look(after: Self.first) == 1)
        #expect(try look(after: Self.first) == 1)
        #expect(try look(after: Self.second) == 2)
        #expect(pool.options.withLock { $0.encryption != nil })
    }

    @Test func filesThatCannotBeUsed_changeNothing() throws {
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(try look(after: Self.first) == 1)
        for _ in 0..<3 { #expect(try look(after: "no certificate") == 1) }
        #expect(pool.options.withLock { $0.encryption != nil })
        #expect(try look(after: Self.second) == 2)
    }

    @Test func checks_goByWhatWasReadForRequests() async throws {
        defer { try? FileManager.default.removeItem(at: file) }
        let eventLoops = EventLoops(count: 1)
        func isChecked() -> Bool { pool.healthCheck(on: eventLoops) != nil }
        #expect(!isChecked())
        #expect(try look(after: Self.first) == 1)
        // What the file holds next is not looked at.
        try FileManager.default.removeItem(at: file)
        #expect(isChecked())
        await eventLoops.shutDown()
    }

    /// A self-signed authority, for tests of what is read of it.
    static let first = """
        -----BEGIN CERTIFICATE-----
        MIIBbjCCARWgAwIBAgIUCGVLyp2KTB+hFcGq3PAW6OZQOagwCgYIKoZIzj0EAwIw
        DDEKMAgGA1UEAwwBYTAgFw0yNjExMzAwOTUwMTFaGA8yMTI2MTEwNjA5NTAxMVow
        DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCHzlJZ9aI4M
        yfvbd1V39O9ZbbKjvYkt53yKDrA2qOtgyfM9Si4ikyVGHWe93bV1/bT8fS+1jGyi
        HkkNKWoBRWOjUzBRMB0GA1UdDgQWBBRDSGAdwh/k5fOIEE3boGDDZ9ryIjAfBgNV
        HSMEGDAWgBRDSGAdwh/k5fOIEE3boGDDZ9ryIjAPBgNVHRMBAf8EBTADAQH/MAoG
        CCqGSM49BAMCA0cAMEQCIBURou+7jxAuY4gUDxw4mv1k40GFjAR6W18b1AiPMErY
        AiBZcM9p84m2nMLQqSFnpUmEsPNqxliF/CCsmuzl/OZG2Q==
        -----END CERTIFICATE-----

        """

    private static let second = """
        -----BEGIN CERTIFICATE-----
        MIIBcDCCARWgAwIBAgIUe2K/GPFHZrjDB4/Z70wRRETFtgAwCgYIKoZIzj0EAwIw
        DDEKMAgGA1UEAwwBYjAgFw0yNjExMzAwOTUwMTFaGA8yMTI2MTEwNjA5NTAxMVow
        DDEKMAgGA1UEAwwBYjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKrh+RivcQ5h
        CG4L5DNZg4bD2Y/1/whzgeaKlwO4oBYJfBVciAozzlMk2Bi8QbjrEylGA8eKaOEf
        1sFQqemyLKqjUzBRMB0GA1UdDgQWBBRT6xlEsb2FnzPIdpYg/14/G9muvTAfBgNV
        HSMEGDAWgBRT6xlEsb2FnzPIdpYg/14/G9muvTAPBgNVHRMBAf8EBTADAQH/MAoG
        CCqGSM49BAMCA0kAMEYCIQDM8VeSjsHZmByvXMaFPZLtsDEYaDSxky9kWGDxvVub
        bQIhAMHow7ZY5NLyzcTlvTx1evvPZ6pgy5zYDrLrnuxb+MaN
        -----END CERTIFICATE-----

        """
}
