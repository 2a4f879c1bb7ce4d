import Testing

@testable import MartletConfiguration

@Suite("Numbers of bytes in configuration files")
struct ByteCountTextTests {
    @Test(arguments: [0, 1, 512, 1024, 1536, 64 << 20, 1 << 40, 1_000_000])
    func number_isWrittenSoThatItReadsBackEqual(bytes: Int) {
        #expect(ByteCountText.bytes(ByteCountText.written(bytes)) == bytes)
    }

    @Test func number_isWrittenInTheLargestUnit() {
        #expect(ByteCountText.written(64 << 20) == "64MiB")
        #expect(ByteCountText.written(1536) == "1536")
    }

    @Test(arguments: ["", "-1", "1.5GiB", "GiB", "8gib", "9223372036854775807KiB", "1 GiB"])
    func anythingElse_isRefused(text: String) {
        #expect(ByteCountText.bytes(text) == nil)
    }
}
