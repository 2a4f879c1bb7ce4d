import Foundation
import Logging
import MartletConfiguration
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
        fetch: @escaping AccessService.Fetch = { _ in throw CancellationError() }
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
        let service = try await service { url in
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
}
