import Testing

@testable import MartletTransport

@Suite("Fields by which gateways tell nodes of requests")
struct GatewayFieldsTests {
    @Test(arguments: [
        ("team-a", "team-a"), ("spiffe://a/b", "spiffe://a/b"), ("a b", "a%20b"),
        ("50%", "50%25"), ("é", "%C3%A9"), ("a\r\nb: c", "a%0D%0Ab:%20c"),
    ])
    func names_areWrittenInVisibleASCII(name: String, value: String) {
        #expect(GatewayFields.tenantValue(of: name) == value)
        #expect(GatewayFields.isTenantValue(value))
    }

    @Test func theLongestName_fits() {
        let value = GatewayFields.tenantValue(of: String(repeating: " ", count: 256))
        #expect(value.utf8.count == GatewayFields.tenantBytesMax)
        #expect(GatewayFields.isTenantValue(value))
    }

    @Test(arguments: ["", "a b", "a\tb", "é", "a\u{7F}", String(repeating: "a", count: 769)])
    func valuesThatNoGatewayWrites_areNone(value: String) {
        #expect(!GatewayFields.isTenantValue(value))
    }
}
