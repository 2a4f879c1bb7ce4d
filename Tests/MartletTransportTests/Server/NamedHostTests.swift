import Testing

@testable import MartletTransport

@Suite("Hosts of authorities")
struct NamedHostTests {
    @Test(arguments: [
        "localhost", "localhost:8081", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1:80",
        "127.8.9.10", "[::1]", "[::1]:8081", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]:1",
        "[::FFFF:7f00:1]",
    ])
    func init_whenHostIsThisMachine_isLoopback(authority: String) {
        #expect(NamedHost(authority)?.isLoopback == true)
    }

    @Test(arguments: [
        "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.0",
        "[::]", "[fe80::1]:8081", "[::ffff:10.0.0.1]", "my-localhost", "localhost_",
    ])
    func init_whenHostMayBeAnother_isNotLoopback(authority: String) throws {
        #expect(try #require(NamedHost(authority)).isLoopback == false)
    }

    @Test(arguments: [
        "", ":80", "localhost:", "localhost:99999", "localhost:-1", "localhost:8081:8081",
        "localhost:+80", "user@localhost", "localhost@evil.example", "localhost/x", "local host",
        "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.01", "127.0.0.0x1", "::1",
        "::1:80", "[::1", "[::1]80", "[127.0.0.1]", "[localhost]", "[::1%25lo]", "..", ".localhost",
        "localhost..", "lоcalhost", "localhost,evil.example",
    ])
    func init_whenTextIsNoHostInItsUsualForm_isNil(authority: String) {
        #expect(NamedHost(authority) == nil)
    }
}
