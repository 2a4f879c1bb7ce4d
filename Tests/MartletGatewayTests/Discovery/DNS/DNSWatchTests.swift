import MartletTestKit
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("What is told of lookups")
struct DNSWatchTests {
    private func set(_ hosts: String...) -> EndpointSet {
        EndpointSet(
            hosts.map { DiscoveredEndpoint(address: UpstreamAddress(host: $0, port: 1)) })
    }

    private func found(_ hosts: EndpointSet, but failure: DNSFailure? = nil) -> DNSFinding {
        DNSFinding(
            endpoints: hosts, trouble: failure.map { DNSTrouble(name: "part", failure: $0) })
    }

    private func lost(_ failure: DNSFailure) -> DNSFinding {
        DNSFinding(endpoints: nil, trouble: DNSTrouble(name: "n", failure: failure))
    }

    private func watch(seed: UInt64 = 1, interval: Duration = .seconds(5)) -> DNSWatch {
        DNSWatch(refreshInterval: interval, seed: seed)
    }

    /// What is told and logged, in words.
    private func words(_ step: DNSWatch.Step) -> String {
        let told =
            switch step.result {
            case .success(let set)?: set.endpoints.map(\.address.host).joined(separator: "+")
            case .failure(let trouble)?: "\(trouble.failure)"
            case nil: "-"
            }
        let logged =
            switch step.news {
            case .failing(let trouble, let count)?: "failing(\(trouble.failure), \(count))"
            case .incomplete(let trouble, let count)?: "incomplete(\(trouble.name), \(count))"
            case .recovered(let count)?: "recovered(\(count))"
            case nil: "-"
            }
        return "\(told) \(logged)"
    }

    @Test func sets_areToldOnceEach_andNothingIsLoggedOfThem() {
        var watch = watch()
        let findings = [found(set("a")), found(set("a")), found(set("a", "b")), found(set("b"))]
        #expect(findings.map { words(watch.take($0)) } == ["a -", "- -", "a+b -", "b -"])
    }

    @Test func outage_isToldAndLoggedOnce_andSoIsItsEnd() {
        var watch = watch()
        let findings = [
            found(set("a", "b")), lost(.unavailable), lost(.timedOut), lost(.refused),
            found(set("a", "b")), found(set("a", "b")),
        ]
        #expect(
            findings.map { words(watch.take($0)) } == [
                "a+b -", "unavailable failing(unavailable, 2)", "- -", "- -", "a+b recovered(2)",
                "- -",
            ])
    }

    @Test func nameThatVanishesInAnOutage_isLoggedAnew() {
        var watch = watch()
        let findings = [
            lost(.unavailable), lost(.notFound), lost(.noRecords), lost(.unavailable),
            found(set("a")),
        ]
        #expect(
            findings.map { words(watch.take($0)) } == [
                "unavailable failing(unavailable, 0)", "- failing(notFound, 0)", "- -",
                "- failing(unavailable, 0)", "a recovered(1)",
            ])
    }

    @Test func partThatFails_isLoggedOnce_andTheSetIsTold() {
        var watch = watch()
        let findings = [
            found(set("a", "b")), found(set("a", "b"), but: .timedOut),
            found(set("a"), but: .unavailable), lost(.unavailable),
            found(set("a"), but: .unavailable), found(set("a")),
        ]
        #expect(
            findings.map { words(watch.take($0)) } == [
                "a+b -", "- incomplete(part, 2)", "a -", "unavailable failing(unavailable, 1)",
                "a incomplete(part, 1)", "- recovered(1)",
            ])
    }

    @Test func lookupThatIsLate_isAFailure_untilItEnds() {
        var watch = watch()
        #expect(words(watch.noteDelay(of: "n")) == "timedOut failing(timedOut, 0)")
        #expect(words(watch.take(found(set("a")))) == "a recovered(1)")
        #expect(words(watch.noteDelay(of: "n")) == "timedOut failing(timedOut, 1)")
        #expect(words(watch.take(lost(.unavailable))) == "- -")
    }

    @Test func pauses_areTheIntervalGiveOrTakeATenth() {
        var pauses: Set<Duration> = []
        for seed in SimulationSeeds.first(500) {
            var watch = watch(seed: seed)
            _ = watch.take(found(set("a")))
            let pause = watch.nextPause()
            #expect(
                (.milliseconds(4500) ... .milliseconds(5500)).contains(pause),
                "\(SimulationSeeds.replay(seed))")
            pauses.insert(pause)
        }
        #expect(pauses.count > 1 || SimulationSeeds.first(500).count == 1)
    }

    @Test func pausesAfterFailures_growUpToTheInterval() {
        for seed in SimulationSeeds.first(200) {
            var watch = watch(seed: seed, interval: .seconds(3600))
            for seconds in [1.0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600] {
                _ = watch.take(lost(.unavailable))
                let ratio = watch.nextPause() / .seconds(seconds)
                #expect((0.899...1.101).contains(ratio), "\(SimulationSeeds.replay(seed))")
            }
            for _ in 0..<200 { _ = watch.take(lost(.unavailable)) }
            #expect(watch.nextPause() <= .seconds(3961), "\(SimulationSeeds.replay(seed))")
            _ = watch.take(found(set("a")))
            #expect(watch.nextPause() >= .seconds(3239), "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func pausesAfterFailures_areNoLongerThanShortIntervals() {
        var watch = watch(interval: .milliseconds(100))
        _ = watch.take(lost(.notFound))
        #expect(watch.nextPause() <= .milliseconds(110))
    }

    @Test func lateReaders_findTheNewestSetAmongTheLastTwo() {
        for seed in SimulationSeeds.first(500) {
            var generator = SeededGenerator(seed: seed)
            var watch = watch(seed: seed)
            var told: [Result<EndpointSet, DNSTrouble>] = []
            var newest: EndpointSet?
            for _ in 0..<20 {
                let step: DNSWatch.Step
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: step = watch.take(lost(.unavailable))
                case 1: step = watch.take(lost(.noRecords))
                case 2: step = watch.noteDelay(of: "n")
                default:
                    let set = set(Bool.random(using: &generator) ? "a" : "b")
                    newest = set
                    step = watch.take(found(set))
                }
                if let result = step.result { told.append(result) }
                let kept = told.suffix(2).compactMap { try? $0.get() }
                #expect(kept.last == newest, "\(SimulationSeeds.replay(seed))")
            }
        }
    }
}
