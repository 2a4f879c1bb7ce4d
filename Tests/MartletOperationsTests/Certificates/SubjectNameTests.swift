import MartletCore
import Testing

@testable import MartletOperations

@Suite("Names in certificates")
struct SubjectNameTests {
    @Test(arguments: [
        ("localhost", "DNS:localhost"), ("Gateway.Example", "DNS:gateway.example"),
        ("*.nodes.example", "DNS:*.nodes.example"),
        ("xn--bcher-kva.example", "DNS:xn--bcher-kva.example"),
        ("7.example", "DNS:7.example"), ("10.0.0.7", "IP:10.0.0.7"), ("::1", "IP:::1"),
        ("2001:DB8::0007", "IP:2001:db8::7"),
    ])
    func host_thatIsOne_isTaken(text: String, name: String) throws {
        #expect(try SubjectName.host(text).description == name)
    }

    @Test(arguments: [
        ("", "is empty"), ("https://gateway.example", "host alone"), ("10.0.0.0/8", "range"),
        ("[::1]", "without brackets"), ("[::1]:8080", "without brackets"),
        ("fe80::1%eth0", "no zones"), ("0.0.0.0", "nobody connects"), ("::", "nobody connects"),
        ("::ffff:10.0.0.7", "write '10.0.0.7'"),
        ("gateway.example:8080", "write 'gateway.example'"),
        ("10.0.0.7:8080", "write '10.0.0.7'"), ("1:2:3", "no IPv6 address"),
        ("gateway:http", "no IPv6 address"), ("10.0.0", "no IPv4 address"),
        ("10.0.0.256", "no IPv4 address"), ("010.0.0.7", "no IPv4 address"),
        ("7", "no IPv4 address"),
        ("bücher.example", "xn--"), ("gateway.example.", "dot at its end"),
        ("gateway..example", "is empty"), (".example", "is empty"), ("node_1", "holds '_'"),
        ("two hosts", "holds ' '"), ("a,b", "holds ','"), ("bell\u{7}", "holds '\\u{07}'"),
        ("nul\u{0}", "holds '\\0'"), ("-a.example", "begins or ends"),
        ("a-.example", "begins or ends"),
        ("*", "two more parts"), ("*.example", "two more parts"),
        ("a.*.example", "whole first part"),
        ("a*.nodes.example", "whole first part"),
        (String(repeating: "a", count: 64), "more than 63"),
        (String(repeating: "a.", count: 127) + "b", "up to 253"),
    ])
    func host_thatIsNone_isRefusedWithTheRemedy(text: String, remedy: String) {
        let error = #expect(throws: ServingError.self) { try SubjectName.host(text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(remedy) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("\u{7}") == false)
    }

    @Test func hosts_ofTheGreatestLengths_areTaken() throws {
        let label = String(repeating: "a", count: 63)
        let longest = [label, label, label, String(repeating: "b", count: 61)].joined(
            separator: ".")
        #expect(longest.count == 253)
        #expect(try SubjectName.host(longest) == .dns(longest))
    }

    @Test func address_isItsBytes() throws {
        #expect(try SubjectName.host("10.0.0.7") == .address([10, 0, 0, 7]))
        #expect(try SubjectName.host("::1") == .address([UInt8](repeating: 0, count: 15) + [1]))
        #expect(SubjectName.address([1, 2, 0xAB]).description == "IP:0102ab")
    }

    @Test(arguments: ["team-a", "Team_A.1", "0"])
    func tenant_ofPlainLetters_isAnIdentity(text: String) throws {
        #expect(try SubjectName.tenant(text) == .uri("spiffe://martlet/tenant/\(text)"))
    }

    @Test(arguments: [
        "", ".", "..", "team a", "team/a", "team%2Fa", "équipe", "a\n",
        String(repeating: "a", count: 129),
    ])
    func tenant_thatWouldBeAnotherPath_isRefused(text: String) {
        let error = #expect(throws: ServingError.self) { try SubjectName.tenant(text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func mailAddress_isTakenWithItsDomainInLowerCase() throws {
        #expect(try SubjectName.email("Alice+ml@Example.com") == .mailbox("Alice+ml@example.com"))
    }

    @Test(arguments: [
        "alice", "@example.com", "alice@", "a@b@c", "a..b@example.com", "a b@example.com",
        "alice@*.nodes.example", "ålice@example.com", "alice@exam_ple.com", "alice@example.com\n",
    ])
    func mailAddress_thatIsNone_isRefused(text: String) {
        let error = #expect(throws: ServingError.self) { try SubjectName.email(text) }
        #expect(error?.code == .invalidArgument)
    }
}
