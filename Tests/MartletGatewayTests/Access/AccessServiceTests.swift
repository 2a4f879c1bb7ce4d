import Foundation
import Logging
import MartletConfiguration
import MartletCore
import Synchronization
import Testing

@testable import MartletGateway

@Suite("Reading credentials again")
struct AccessServiceTests {
    private let folder: URL
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-access-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func write(_ text: String, _ name: String = "keys.yaml") throws {
        try text.write(
            to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
    }

    private func key(_ secret: String) -> String {
        "keys: [{id: alice, sha256: \(SecretDigest(of: secret).hex), tenant: team-a}]\n"
    }

    private func service(
        fetch: @escaping AccessService.Fetch = { _, _ in throw CancellationError() }
    ) async throws -> AccessService {
        var access = try #require(
            try readPolicy("{endpoints: [a:1], access: {api_keys_file: keys.yaml}}").policy.access)
        access.apiKeysFile = folder.appendingPathComponent("keys.yaml").path
        return try await AccessService(access, fetch: fetch, logger: logger)
    }

    @Test func changedFile_isReadAtTheNextLook() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(key("one"))
        let service = try await service()
        #expect(service.control.ask("one").grant != nil)
        try write(key("two"))
        await service.look()
        #expect(service.control.ask("one").grant == nil)
        #expect(service.control.ask("two").grant != nil)
    }

    @Test func fileWithAMistake_changesNothing() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(key("one"))
        let service = try await service()
        for text in ["keys: [{}]", "", "\u{0}"] {
            try write(text)
            await service.look()
            #expect(service.control.ask("one").grant != nil)
        }
        await #expect(throws: ConfigurationError.self) {
            try await service.reload(
                try readPolicy("{endpoints: [a:1], access: {api_keys_file: missing}}").policy
                    .access)
        }
        #expect(service.control.ask("one").grant != nil)
        try write(key("two"))
        await service.look()
        #expect(service.control.ask("two").grant != nil)
    }

    @Test func fileThatCannotBeUsed_isToldAtTheStart() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        await #expect(throws: ConfigurationError.self) { try await service() }
    }

    /// Of two readings the one that began last counts, whichever ends last.
    @Test func readingThatWasOvertaken_changesNothing() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(key("one"))
        let service = try await service()
        try await service.reload(nil) { false }
        #expect(service.control.ask(nil).grant == nil)
        #expect(service.control.ask("one").grant != nil)
    }

    @Test func policyWithoutAccess_letsEverybodyIn() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(key("one"))
        let service = try await service()
        try await service.reload(nil)
        #expect(service.control.ask(nil).grant?.tenant == "anonymous")
        await service.look()
        #expect(service.control.ask(nil).grant?.tenant == "anonymous")
    }

    @Test func keysInAFile_areReadWhenTheyChange() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (first, second) = (try await TestIssuer(), try await TestIssuer())
        try write(try first.set(["ES256"]), "jwks.json")
        try write(
            issuerSettings().replacing(
                "jwks_url: https://login.example.com/keys", with: "jwks_file: jwks.json"))
        let service = try await service()
        let tokens = try [first, second].map { try $0.token(claims: TestIssuer.claims()) }
        #expect(tokens.map { service.control.ask($0).grant != nil } == [true, false])
        try write("{}", "jwks.json")
        await service.look()
        #expect(tokens.map { service.control.ask($0).grant != nil } == [true, false])
        try write(try second.set(["ES256"]), "jwks.json")
        await service.look()
        #expect(tokens.map { service.control.ask($0).grant != nil } == [false, true])
    }

    @Test func keysBehindAURL_areFetchedAndAFailureChangesNothing() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let issuer = try await TestIssuer()
        let answers = Mutex<[String]>([try issuer.set(["ES256"])])
        let asked = Mutex<[String]>([])
        try write(issuerSettings())
        let service = try await service { url, _ in
            asked.withLock { $0.append(url) }
            guard let answer = answers.withLock({ $0.popLast() }) else { throw CancellationError() }
            return answer
        }
        let token = try issuer.token(claims: TestIssuer.claims())
        #expect(service.control.ask(token).refusal?.reason == .keys)
        await service.look()
        #expect(service.control.ask(token).grant != nil)
        for _ in 0..<5 { await service.look() }
        #expect(asked.withLock { $0 } == ["https://login.example.com/keys"])
    }

    @Test func fetches_areCountedByWhatCameOfThem() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let issuer = try await TestIssuer()
        let answers = Mutex<[String]>([try issuer.set(["ES256"])])
        try write(issuerSettings())
        let service = try await service { _, _ in
            guard let answer = answers.withLock({ $0.popLast() }) else { throw CancellationError() }
            return answer
        }
        #expect(service.keyFetches.map(\.issuer) == ["login"])
        #expect(service.keyFetches.first?.counts == [.success: 0, .failed: 0])
        await service.look()
        #expect(service.keyFetches.first?.counts == [.success: 1, .failed: 0])
        // The count outlives credentials that are read again.
        try write("# Read again.\n" + issuerSettings())
        await service.look()
        #expect(service.keyFetches.first?.counts == [.success: 1, .failed: 0])
        try write(key("one"))
        await service.look()
        #expect(service.keyFetches.isEmpty)
    }

    @Test func failedFetches_areCounted() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(issuerSettings())
        let service = try await service()
        await service.look()
        #expect(service.keyFetches.first?.counts == [.success: 0, .failed: 1])
    }

    @Test func authorityOfAURL_isHandedToTheFetch_andCheckedBefore() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let asked = Mutex<[String?]>([])
        try write(UpstreamCertificatesTests.first, "ca.pem")
        try write(issuerSettings("    jwks_ca_file: ca.pem"))
        let service = try await service { _, file in
            asked.withLock { $0.append(file) }
            throw CancellationError()
        }
        await service.look()
        #expect(asked.withLock { $0 } == [folder.appendingPathComponent("ca.pem").path])
        try write("no certificate", "ca.pem")
        let error = await #expect(throws: ServingError.self) {
            _ = try await self.service()
        }
        #expect(error?.message.contains("ca.pem' is not PEM") == true)
    }
}
