import Foundation
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Lookups by the C library")
struct SystemResolverTests {
    private func resolver(_ server: LocalNameServer) throws -> SystemResolver {
        let nameServer: NameServer = try #require(
            NameServer(address: "127.0.0.1", port: server.port))
        return SystemResolver(server: nameServer)
    }

    private func services(
        _ resolver: SystemResolver, _ name: String = "s.example"
    ) -> Result<ServiceAnswer, DNSFailure> {
        Result { () throws(DNSFailure) in try resolver.services(of: name) }
    }

    @Test func services_areFoundWithTheirTargets() throws {
        let server = try LocalNameServer { question in
            guard question.type == 33, question.name == "s.example" else { return .init(code: 3) }
            return .init(
                answers: [.service("s.example", 1, 3, 8501, target: dnsName("a.example"))],
                others: [.ipv4("a.example", [127, 0, 0, 2])])
        }
        let answer = try services(try resolver(server)).get()
        #expect(
            answer.records
                == [ServiceRecord(priority: 1, weight: 3, port: 8501, target: "a.example")])
        #expect(answer.addresses == ["a.example": ["127.0.0.2"]])
    }

    @Test func addresses_ofBothFamiliesAreFound() throws {
        let server = try LocalNameServer { question in
            switch question.type {
            case 1: .init(answers: [.ipv4("a.example", [127, 0, 0, 2])])
            default: .init(answers: [.ipv6("a.example", last: 2)])
            }
        }
        let results = try resolver(server).addresses(of: "a.example").results
        #expect(results == [.ipv4: .success(["127.0.0.2"]), .ipv6: .success(["2001:db8::2"])])
    }

    @Test func answersTooLongForADatagram_comeOverTCP() throws {
        let server = try LocalNameServer { _ in
            .init(
                answers: (0..<2000).map { number in
                    let bytes = [10, 0, UInt8(number / 256), UInt8(number % 256)]
                    return .ipv4("a.example", bytes)
                })
        }
        let results = try resolver(server).addresses(of: "a.example").results
        #expect(try results[.ipv4]?.get().count == 2000)
    }

    @Test(arguments: [
        (3, DNSFailure.notFound), (0, .noRecords), (2, .unavailable), (5, .unavailable),
    ])
    func answersWithoutRecords_sayWhy(code: Int, failure: DNSFailure) throws {
        let server = try LocalNameServer { _ in .init(code: code) }
        let resolver = try resolver(server)
        #expect(throws: failure) { try services(resolver).get() }
        let results = resolver.addresses(of: "a.example").results
        #expect(results == [.ipv4: .failure(failure), .ipv6: .failure(failure)])
    }

    @Test func answersThatCannotBeUnderstood_areMalformed() throws {
        let server = try LocalNameServer { _ in
            .init(answers: [.service("s.example", 0, 0, 1, target: dnsName("a b"))])
        }
        #expect(throws: DNSFailure.malformed) { try services(try resolver(server)).get() }
    }

    @Test func answersOfOtherTypes_areNone() throws {
        let server = try LocalNameServer { _ in
            .init(answers: [.alias("s.example", of: "t.example")])
        }
        #expect(throws: DNSFailure.noRecords) { try services(try resolver(server)).get() }
    }

    @Test func serverThatIsGone_isUnavailable() throws {
        let server = try LocalNameServer { _ in .init() }
        let resolver = try resolver(server)
        server.stop()
        #expect(throws: DNSFailure.unavailable) { try services(resolver).get() }
    }

    @Test func threadsThatAskAtOnce_getEachTheirAnswer() async throws {
        let server = try LocalNameServer { question in
            guard let number = UInt8(question.name.split(separator: ".")[0]) else {
                return .init(code: 3)
            }
            return .init(answers: [.ipv4(question.name, [127, 0, 0, number])])
        }
        let resolver = try resolver(server)
        await withTaskGroup(of: Void.self) { group in
            for number in 1...40 {
                group.addTask {
                    let lookup = DNSLookup { resolver.addresses(of: "\(number).example") }
                    let answer = await lookup.outcome()
                    #expect(answer?.results[.ipv4] == .success(["127.0.0.\(number)"]))
                }
            }
        }
    }

    @Test func hostsOfTheMachine_areFoundAsItFindsThem() throws {
        let results = SystemResolver().addresses(of: "localhost").results
        let addresses = try #require(try results[.system]?.get())
        #expect(addresses.contains("127.0.0.1") || addresses.contains("::1"))
        #expect(Set(addresses).count == addresses.count)
    }

    @Test(arguments: ["10.0.0.2", "2001:db8::2"])
    func addresses_resolveToThemselves(address: String) {
        let results = SystemResolver().addresses(of: address).results
        #expect(results == [.system: .success([address])])
    }

    @Test(arguments: [
        ("127.0.0.1", 53, true), ("::1", 53, true), ("localhost", 53, false), ("", 53, false),
        ("127.0.0.1", 0, false), ("127.0.0.1", 65536, false), ("127.1", 53, false),
    ])
    func nameServer_isAnAddress(address: String, port: Int, isGood: Bool) {
        #expect((NameServer(address: address, port: port) != nil) == isGood)
    }
}
