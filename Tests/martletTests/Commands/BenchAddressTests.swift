import Testing

@testable import martlet

@Suite("Targets of martlet bench")
struct BenchAddressTests {
    @Test(arguments: [
        ("127.0.0.1:8500", "127.0.0.1:8500", false, false),
        ("http://a.b:1/", "a.b:1", false, false), ("https://a.b", "a.b:443", true, false),
        ("http://a.b", "a.b:80", false, false), ("grpc://[::1]:8500", "[::1]:8500", false, true),
        ("grpcs://a.b", "a.b:443", true, true),
    ])
    func target_isReadWithOrWithoutScheme(
        text: String, shown: String, speaksTLS: Bool, isGRPC: Bool
    ) throws {
        let address = try #require(BenchAddress(argument: text))
        #expect(address.description == shown)
        #expect(address.speaksTLS == speaksTLS)
        #expect(address.isGRPC == isGRPC)
    }

    @Test(arguments: ["", "http://", "grpc://a.b", "a.b", "http://a.b:1/v1", "http://a.b:99999"])
    func anythingElse_isNone(text: String) {
        #expect(BenchAddress(argument: text) == nil)
    }
}
