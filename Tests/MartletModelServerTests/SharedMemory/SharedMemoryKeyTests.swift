import MartletCore
import Testing

@testable import MartletModelServer

@Suite("Key of shared memory")
struct SharedMemoryKeyTests {
    @Test(arguments: ["/input_data", "input_data", "/a b", "/ä", "/...", "/.hidden"])
    func name_isTakenWithAndWithoutItsSlash(text: String) throws {
        let name = text.hasPrefix("/") ? text : "/\(text)"
        #expect(try SharedMemoryKey(text).path == name)
    }

    @Test(arguments: [
        "", "/", "//", "//a", "/a/b", "a/", "/.", "/..", "..", "../a", "/../etc/passwd", "/a\0b",
        "/a\n", "/\u{7F}", "/sem.lock", "sem.lock", "/" + String(repeating: "a", count: 256),
    ])
    func anythingElse_isRefused(text: String) {
        let error = #expect(throws: ServingError.self) { try SharedMemoryKey(text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func longestName_isTaken() throws {
        let name = String(repeating: "a", count: 255)
        #expect(try SharedMemoryKey(name).path == "/\(name)")
    }
}
