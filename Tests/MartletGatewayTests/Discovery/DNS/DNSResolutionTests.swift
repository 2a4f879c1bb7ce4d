import MartletTestKit
import Testing

@testable import MartletGateway

/// Answers as it is told.
private struct ScriptedResolver: NameResolver {
    var hosts: [String: AddressAnswer] = [:]
    var services: Result<ServiceAnswer, DNSFailure> = .failure(.notFound)

    func addresses(of name: String) -> AddressAnswer {
        hosts[name] ?? AddressAnswer(results: [.system: .failure(.notFound)])
    }

    func services(of name: String) throws(DNSFailure) -> ServiceAnswer { try services.get() }
}

extension AddressAnswer {
    /// One of the system's.
    fileprivate static func system(_ addresses: String...) -> Self {
        AddressAnswer(results: [.system: .success(addresses)])
    }

    fileprivate static func failing(_ failure: DNSFailure) -> Self {
        AddressAnswer(results: [.system: .failure(failure)])
    }

    /// One of a name server's.
    fileprivate init(
        _ ipv4: Result<[String], DNSFailure>, _ ipv6: Result<[String], DNSFailure>
    ) {
        self.init(results: [.ipv4: ipv4, .ipv6: ipv6])
    }
}

@Suite("Endpoints, lookup after lookup")
struct DNSResolutionTests {
    private func addresses() -> DNSResolution {
        DNSResolution(name: "n", record: .addresses(port: 1))
    }

    private func services() -> DNSResolution { DNSResolution(name: "s", record: .services) }

    private func trouble(_ name: String, _ failure: DNSFailure) -> DNSTrouble {
        DNSTrouble(name: name, failure: failure)
    }

    private func record(_ target: String, priority: Int = 0) -> ServiceRecord {
        ServiceRecord(priority: priority, weight: 1, port: 1, target: target)
    }

    private func resolver(
        _ targets: [ServiceRecord], _ hosts: [String: AddressAnswer],
        along: [String: [String]] = [:]
    ) -> ScriptedResolver {
        ScriptedResolver(
            hosts: hosts, services: .success(ServiceAnswer(records: targets, addresses: along)))
    }

    /// The endpoints and what is amiss, of each answer in turn.
    private func lookUp(
        _ resolution: inout DNSResolution, _ resolver: ScriptedResolver, isOver: Bool = false
    ) -> (words: [String]?, trouble: DNSTrouble?) {
        let finding = resolution.lookUp(by: resolver) { isOver }
        return (finding.endpoints?.words, finding.trouble)
    }

    // MARK: Addresses

    @Test func addresses_areEndpoints_ofEitherFamily() {
        var resolution = addresses()
        let answer = AddressAnswer(.success(["10.0.0.1"]), .success(["2001:db8::1"]))
        let (words, trouble) = lookUp(&resolution, ScriptedResolver(hosts: ["n": answer]))
        #expect(words == ["10.0.0.1:1 1", "2001:db8::1:1 1"])
        #expect(trouble == nil)
    }

    @Test func familyThatNeverAnswers_isNoTrouble() {
        var resolution = addresses()
        let answer = AddressAnswer(.success(["10.0.0.1"]), .failure(.unavailable))
        let (words, trouble) = lookUp(&resolution, ScriptedResolver(hosts: ["n": answer]))
        #expect(words == ["10.0.0.1:1 1"])
        #expect(trouble == nil)
    }

    @Test func familyThatAnswersNoMore_keepsItsAddresses_andOnlyIts() {
        var resolution = addresses()
        let answers = [
            AddressAnswer(.success(["10.0.0.1"]), .success(["2001:db8::1"])),
            AddressAnswer(.success(["10.0.0.2"]), .failure(.unavailable)),
            AddressAnswer(.success(["10.0.0.3"]), .failure(.timedOut)),
            AddressAnswer(.success(["10.0.0.3"]), .failure(.noRecords)),
        ]
        let found = answers.map { lookUp(&resolution, ScriptedResolver(hosts: ["n": $0])) }
        #expect(
            found.map(\.words) == [
                ["10.0.0.1:1 1", "2001:db8::1:1 1"], ["10.0.0.2:1 1", "2001:db8::1:1 1"],
                ["10.0.0.3:1 1", "2001:db8::1:1 1"], ["10.0.0.3:1 1"],
            ])
        #expect(
            found.map(\.trouble) == [
                nil, trouble("n", .unavailable), trouble("n", .timedOut), nil,
            ])
    }

    @Test(arguments: [DNSFailure.timedOut, .unavailable, .refused, .malformed])
    func nobodyAnswering_tellsNothingNew_andForgetsNothing(failure: DNSFailure) {
        var resolution = addresses()
        let good = AddressAnswer(.success(["10.0.0.1"]), .success(["2001:db8::1"]))
        let bad = AddressAnswer(.failure(failure), .failure(failure))
        let half = AddressAnswer(.failure(failure), .success(["2001:db8::1"]))
        _ = lookUp(&resolution, ScriptedResolver(hosts: ["n": good]))
        let (none, reason) = lookUp(&resolution, ScriptedResolver(hosts: ["n": bad]))
        #expect(none == nil)
        #expect(reason == trouble("n", failure))
        let (words, _) = lookUp(&resolution, ScriptedResolver(hosts: ["n": half]))
        #expect(words == ["10.0.0.1:1 1", "2001:db8::1:1 1"])
    }

    @Test func nameThatIsGone_tellsNothingNew() {
        var resolution = addresses()
        _ = lookUp(&resolution, ScriptedResolver(hosts: ["n": .system("10.0.0.1")]))
        for failure in [DNSFailure.notFound, .noRecords] {
            let (words, reason) = lookUp(
                &resolution, ScriptedResolver(hosts: ["n": .failing(failure)]))
            #expect(words == nil)
            #expect(reason == trouble("n", failure))
        }
    }

    @Test func moreEndpointsThanAreTaken_areAFailure() {
        var resolution = addresses()
        let many = (0...10_000).map { "10.0.\($0 / 256).\($0 % 256)" }
        let answer = AddressAnswer(results: [.system: .success(many)])
        let (words, reason) = lookUp(&resolution, ScriptedResolver(hosts: ["n": answer]))
        #expect(words == nil)
        #expect(reason == trouble("n", .tooMany))
    }

    // MARK: Services

    @Test func lowestPriority_isUsed_andOthersAreNotLookedUp() {
        var resolution = services()
        let script = resolver(
            [record("backup", priority: 2), record("a", priority: 1), record("b", priority: 1)],
            ["a": .system("10.0.0.1"), "b": .system("10.0.0.2"), "backup": .failing(.unavailable)])
        let (words, trouble) = lookUp(&resolution, script)
        #expect(words == ["10.0.0.1:1 10", "10.0.0.2:1 10"])
        #expect(trouble == nil)
    }

    @Test func nextPriority_isUsedWhereTheLowestHasNoAddresses() {
        var resolution = services()
        let script = resolver(
            [record("backup", priority: 2), record("a", priority: 1)],
            ["backup": .system("10.0.0.9")])
        let (words, reason) = lookUp(&resolution, script)
        #expect(words == ["10.0.0.9:1 10"])
        #expect(reason == trouble("a", .notFound))
    }

    @Test func addressesThatComeAlong_areNotAskedFor() {
        var resolution = services()
        let script = resolver(
            [record("a"), record("b")], ["a": .failing(.unavailable), "b": .system("10.0.0.2")],
            along: ["a": ["10.0.0.1"]])
        let (words, trouble) = lookUp(&resolution, script)
        #expect(words == ["10.0.0.1:1 10", "10.0.0.2:1 10"])
        #expect(trouble == nil)
    }

    @Test(arguments: [true, false])
    func targetThatCannotBeLookedUp_keepsItsAddresses(comesAlong: Bool) {
        var resolution = services()
        let targets = [record("a"), record("b")]
        var first = resolver(targets, ["a": .system("10.0.0.1"), "b": .system("10.0.0.2")])
        if comesAlong {
            first = resolver(
                targets, ["b": .system("10.0.0.2")], along: ["a": ["10.0.0.1"]])
        }
        _ = lookUp(&resolution, first)
        let script = resolver(targets, ["a": .failing(.unavailable), "b": .system("10.0.0.3")])
        for _ in 0..<2 {
            let (words, reason) = lookUp(&resolution, script)
            #expect(words == ["10.0.0.1:1 10", "10.0.0.3:1 10"])
            #expect(reason == trouble("a", .unavailable))
        }
    }

    @Test func targetThatIsGone_losesItsAddresses() {
        var resolution = services()
        let targets = [record("a"), record("b")]
        _ = lookUp(
            &resolution, resolver(targets, ["a": .system("10.0.0.1"), "b": .system("10.0.0.2")]))
        let (words, reason) = lookUp(&resolution, resolver(targets, ["b": .system("10.0.0.2")]))
        #expect(words == ["10.0.0.2:1 10"])
        #expect(reason == trouble("a", .notFound))
    }

    @Test func recordThatIsGone_takesItsEndpointAway() {
        var resolution = services()
        let hosts: [String: AddressAnswer] = ["a": .system("10.0.0.1"), "b": .system("10.0.0.2")]
        _ = lookUp(&resolution, resolver([record("a"), record("b")], hosts))
        let (words, trouble) = lookUp(&resolution, resolver([record("b")], hosts))
        #expect(words == ["10.0.0.2:1 10"])
        #expect(trouble == nil)
    }

    @Test func timeThatIsOver_keepsWhatWasKnown() {
        var resolution = services()
        let targets = [record("a"), record("b")]
        let answer = AddressAnswer(.success(["10.0.0.1"]), .failure(.noRecords))
        let script = resolver(targets, ["a": answer, "b": .system("10.0.0.2")])
        let first = lookUp(&resolution, script)
        let second = lookUp(&resolution, script, isOver: true)
        #expect(second.words == first.words)
        #expect(second.trouble == trouble("a", .timedOut))
        #expect(lookUp(&resolution, script).trouble == nil)
    }

    @Test func servicesThatCannotBeLookedUp_tellNothingNew() {
        var resolution = services()
        _ = lookUp(&resolution, resolver([record("a")], ["a": .system("10.0.0.1")]))
        let offered = resolver([record("")], [:])
        #expect(lookUp(&resolution, offered) == (nil, trouble("s", .noRecords)))
        for failure in [DNSFailure.unavailable, .notFound, .malformed] {
            let found = lookUp(&resolution, ScriptedResolver(services: .failure(failure)))
            #expect(found == (nil, trouble("s", failure)))
        }
    }

    // MARK: Any

    @Test func endpoints_goOnlyByAnAnswer() {
        for seed in SimulationSeeds.first(500) {
            var generator = SeededGenerator(seed: seed)
            var resolution = services()
            // What the last answer of each target was, definite ones alone.
            var truth: [String: [String]] = [:]
            for _ in 0..<12 {
                let targets = ["a", "b", "c", "d"].filter { _ in
                    Int.random(in: 0..<4, using: &generator) > 0
                }
                var script = resolver(targets.map { record($0) }, [:])
                for target in targets { script.hosts[target] = .random(of: target, &generator) }
                if targets.isEmpty { script.services = .failure(.unavailable) }
                let finding = resolution.lookUp(by: script) { false }
                guard !targets.isEmpty else {
                    #expect(finding.endpoints == nil, "\(SimulationSeeds.replay(seed))")
                    continue
                }
                var expected = truth.filter { targets.contains($0.key) }
                for target in targets {
                    switch script.hosts[target]?.results[.system] {
                    case .success(let hosts)?: expected[target] = hosts
                    case .failure(let failure)? where failure.isDefinite: expected[target] = nil
                    default: break
                    }
                }
                let set = ServiceRecord.endpoints(
                    of: targets.map { record($0) }, addresses: expected)
                #expect(
                    finding.endpoints == (set.count > 0 ? set : nil),
                    "\(SimulationSeeds.replay(seed))")
                // What told nothing new changes nothing that is known.
                if set.count > 0 { truth = expected }
            }
        }
    }
}

extension AddressAnswer {
    fileprivate static func random(
        of target: String, _ generator: inout SeededGenerator
    ) -> AddressAnswer {
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: .failing(.notFound)
        case 1: .failing(.unavailable)
        case 2: .failing(.timedOut)
        default: .system("10.0.0.\(Int.random(in: 1...9, using: &generator))-\(target)")
        }
    }
}
