import MartletCore
import Testing

@testable import MartletOperations

@Suite("Certificate profiles")
struct CertificateProfileTests {
    private func client(
        _ name: String, tenant: String? = nil, dns: [String] = [], email: [String] = [],
        days: Int = 90
    ) throws -> CertificateProfile {
        try .client(
            name: name, tenant: tenant, dnsNames: dns, emailAddresses: email, days: days,
            curve: .p256)
    }

    @Test func node_isNamedAfterItsFirstHost_andHasEachOnce() throws {
        let profile = try testNode(["A.example", "10.0.0.7", "a.example"])
        #expect(profile.commonName == "a.example")
        #expect(profile.names == [.dns("a.example"), .address([10, 0, 0, 7])])
        #expect(profile.usage == .serverAndClient)
    }

    @Test func node_withoutHost_isTold() {
        let error = #expect(throws: ServingError.self) { try testNode([]) }
        #expect(error?.message.contains("--host") == true)
    }

    @Test func node_ofALongName_hasAnotherCommonName() throws {
        let label = String(repeating: "a", count: 60)
        #expect(try testNode(["\(label).org"]).commonName == "\(label).org")
        #expect(try testNode(["\(label).long"]).commonName == "martlet node")
    }

    @Test func hosts_areLimited() throws {
        #expect(try testNode((0..<100).map { "n\($0)" }).names.count == 100)
        #expect(throws: ServingError.self) { try testNode((0..<101).map { "n\($0)" }) }
    }

    @Test(arguments: [-1, 0, 826, Int.max])
    func days_outOfRange_areRefused(days: Int) {
        let error = #expect(throws: ServingError.self) { try testNode(days: days) }
        #expect(error?.message == "--days is \(days); use 1 to 825")
        #expect(throws: ServingError.self) { try client("a", days: days) }
    }

    @Test func client_isATenantOfItsOwnName_unlessSomethingElseIsSaid() throws {
        #expect(try client("alice").names == [.uri("spiffe://martlet/tenant/alice")])
        #expect(
            try client("alice", tenant: "team-a").names == [.uri("spiffe://martlet/tenant/team-a")])
        #expect(try client("Alice B", dns: ["b.example"]).names == [.dns("b.example")])
        #expect(
            try client("Alice B", tenant: "t", dns: ["b.example"], email: ["a@b.example"]).names
                == [
                    .uri("spiffe://martlet/tenant/t"), .dns("b.example"), .mailbox("a@b.example"),
                ])
    }

    @Test func client_whoseNameIsNoTenant_isToldToNameOne() {
        let error = #expect(throws: ServingError.self) { try client("Alice B") }
        #expect(error?.message.contains("--tenant") == true)
    }

    @Test(arguments: [
        "", " alice", "alice ", "bell\u{7}", "line\nbreak", "esc\u{1B}[31m", "\u{202E}ecila",
        "nul\u{0}", "\u{2028}", String(repeating: "a", count: 65),
    ])
    func names_thatAreNoNames_areRefusedWithoutSteeringTheTerminal(name: String) {
        let error = #expect(throws: ServingError.self) { try client(name, tenant: "t") }
        #expect(error?.code == .invalidArgument)
        let controls = error?.message.unicodeScalars.filter {
            [.control, .format, .lineSeparator].contains($0.properties.generalCategory)
        }
        #expect(controls?.isEmpty == true)
    }

    @Test func names_mayBeOfAnyLanguage() throws {
        #expect(try client("Ålice 张三", tenant: "t").commonName == "Ålice 张三")
        #expect(
            try client(String(repeating: "张", count: 64), tenant: "t").commonName.count == 64)
    }

    @Test func files_areNamedAfterTheirOwner() throws {
        #expect(try testNode(["*.nodes.example"]).fileName == "wildcard.nodes.example")
        #expect(try testNode(["::1"]).fileName == "1")
        #expect(try testNode(["2001:db8::7"]).fileName == "2001-db8--7")
        #expect(try client("Alice B", tenant: "t").fileName == "Alice-B")
        #expect(try client("../../etc/passwd", tenant: "t").fileName == "etc-passwd")
        #expect(try client("张三", tenant: "t").fileName == "")
    }
}
