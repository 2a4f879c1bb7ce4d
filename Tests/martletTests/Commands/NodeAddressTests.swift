import Testing

@testable import martlet

@Suite("Addresses of nodes")
struct NodeAddressTests {
    @Test(arguments: [
        ("127.0.0.1:8500", "127.0.0.1:8500", false), ("http://a.b:1", "a.b:1", false),
        ("https://a.b:443", "https://a.b:443", true),
        ("https://[::1]:8500/", "https://[::1]:8500", true),
    ])
    func address_isReadWithOrWithoutScheme(text: String, shown: String, speaksTLS: Bool) throws {
        let address = try #require(NodeAddress(argument: text))
        #expect(address.description == shown)
        #expect(address.speaksTLS == speaksTLS)
    }

    @Test(arguments: ["", "https://", "https://a.b", "https://a.b:1/path", "ftp://a.b:1", "a.b"])
    func anythingElse_isNone(text: String) {
        #expect(NodeAddress(argument: text) == nil)
    }
}
