import MartletCore
import MartletTransport
import Testing

@testable import MartletModelServer

@Suite("Who may change what is served")
struct AdminAccessTests {
    private func allows(
        _ access: AdminAccess, _ address: String, _ headers: HeaderFields = [:]
    ) -> Bool {
        do {
            try access.check(remoteAddress: address, headers: headers)
            return true
        } catch {
            #expect((error as? ServingError)?.code == .permissionDenied)
            return false
        }
    }

    @Test(arguments: [
        "127.0.0.1:80", "127.200.3.4:1", "[::1]:80", "[::ffff:127.0.0.1]:80", "unix:/run/m.sock",
        "unix:",
    ])
    func loopback_allowsThisMachine(address: String) {
        #expect(allows(.loopback, address))
        #expect(allows(.any, address))
        #expect(!allows(.none, address))
    }

    @Test(arguments: [
        "10.0.0.1:80", "[fe80::1]:80", "[::ffff:10.0.0.1]:80", "unknown", "", "127.evil.com:80",
        "127.0.0:1", "[::1", "12.7.0.0:1", "[::1:2]:80",
    ])
    func loopback_refusesOthers(address: String) {
        #expect(!allows(.loopback, address))
        #expect(allows(.any, address))
    }

    @Test(arguments: ["Origin", "X-Forwarded-For", "forwarded"])
    func loopback_refusesWebPagesAndForwardedRequests(header: String) {
        #expect(!allows(.loopback, "127.0.0.1:80", HeaderFields([(header, "http://a.example")])))
    }

    @Test(arguments: [
        "evil.example", "localhost.evil.example:8500", "127.0.0.1.evil.example", "2130706433",
        "localhost@evil.example", "my-node:8500",
    ])
    func loopback_refusesNamesThatMayBeMadeToMeanThisMachine(host: String) {
        #expect(!allows(.loopback, "127.0.0.1:80", HeaderFields([("Host", host)])))
        #expect(allows(.any, "127.0.0.1:80", HeaderFields([("Host", host)])))
    }

    @Test(arguments: ["localhost", "LOCALHOST:8500", "127.0.0.1:8500", "[::1]:8500", "10.0.0.1:1"])
    func loopback_allowsAddressesAndLocalhost(host: String) {
        #expect(allows(.loopback, "127.0.0.1:80", HeaderFields([("Host", host)])))
    }

    @Test(arguments: ["cross-site", "same-site", "same-origin", "none"])
    func loopback_refusesBrowsers(site: String) {
        #expect(!allows(.loopback, "127.0.0.1:80", HeaderFields([("Sec-Fetch-Site", site)])))
    }
}
