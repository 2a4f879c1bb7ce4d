import Foundation
import Logging
import MartletCore
import MartletTransport
import Testing

@testable import MartletModelServer

@Suite("API keys")
struct APIKeysTests {
    private static let list = "# clients\n\n  alice: key-of-alice \r\nkey-of-nobody\n"

    private func isRefused(_ keys: APIKeys, _ headers: HeaderFields) -> Bool {
        do {
            try keys.check(headers)
            return false
        } catch {
            #expect((error as? ServingError)?.code == .unauthenticated)
            return true
        }
    }

    @Test(
        arguments: [
            ["authorization": "Bearer key-of-alice"], ["Authorization": "bearer  key-of-nobody "],
            ["x-api-key": "key-of-alice"], ["X-API-Key": " key-of-nobody"],
            ["authorization": "Basic abc", "x-api-key": "key-of-alice"],
        ] as [HeaderFields])
    func key_known_isAccepted(headers: HeaderFields) throws {
        let keys = try APIKeys(parsing: APIKeysTests.list, source: "k")
        #expect(keys.count == 2)
        #expect(!isRefused(keys, headers))
    }

    @Test func aKey_tellsWhoseARequestIs() throws {
        let keys = try APIKeys(parsing: APIKeysTests.list, source: "k")
        #expect(try keys.check(["x-api-key": "key-of-alice"]) == "alice")
        #expect(try keys.check(["x-api-key": "key-of-nobody"]) == "#2")
    }

    @Test(
        arguments: [
            [:], ["authorization": "key-of-alice"], ["authorization": "Basic key-of-alice"],
            ["authorization": "Bearer"], ["authorization": "Bearer alice"], ["x-api-key": ""],
            ["x-api-key": "alice: key-of-alice"], ["x-api-key": "key-of-alic"],
            ["x-api-key": "KEY-OF-ALICE"], ["x-api-key": "# clients"],
        ] as [HeaderFields])
    func key_missingOrUnknown_isRefused(headers: HeaderFields) throws {
        #expect(isRefused(try APIKeys(parsing: APIKeysTests.list, source: "k"), headers))
    }

    @Test(arguments: [
        ("", "holds no API key"), ("# only a comment\n", "holds no API key"),
        ("good\n\nsecret one\n", "line 3"), ("name: \n", "line 1"), (": secret", "line 1"),
        ("a:b:secret", "line 1"), ("schlüssel-secret", "line 1"),
        ("secret\nname: secret", "line 2"), ("n: secret\nn: other", "line 2"),
    ])
    func list_withAMistake_isRefusedWithoutShowingAKey(text: String, place: String) throws {
        let error = try #require(throws: ServingError.self) {
            try APIKeys(parsing: text, source: "keys.txt")
        }
        #expect(error.message.contains(place))
        #expect(error.message.contains("keys.txt"))
        #expect(!error.message.contains("secret"))
    }

    @Test func file_changed_isReadAgain_andAMistakeKeepsTheKeysBefore() throws {
        let path = NSTemporaryDirectory() + "martlet-keys-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        func write(_ text: String) throws {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        #expect(throws: ServingError.self) { try APIKeyFile(path: path, logger: logger) }
        try write("first")
        let file = try APIKeyFile(path: path, logger: logger)
        #expect(file.keys.accepts("first"))
        try write("two words")
        file.look()
        #expect(file.keys.accepts("first"))
        try write("second")
        file.look()
        #expect(!file.keys.accepts("first") && file.keys.accepts("second"))
        try FileManager.default.removeItem(atPath: path)
        file.look()
        #expect(file.keys.accepts("second"))
    }
}
