import Dispatch
import Logging
import MartletCore
import Synchronization
import Testing

@testable import MartletGateway

/// Answers one lookup after another; each waits until it may answer.
private final class SteppedResolver: NameResolver {
    private let answers: Mutex<[Result<[String], DNSFailure>]>
    private let allowed = DispatchSemaphore(value: 0)

    init(_ answers: Result<[String], DNSFailure>...) {
        self.answers = Mutex(answers)
    }

    /// Lets so many lookups end.
    func allow(_ count: Int = 1) {
        for _ in 0..<count { allowed.signal() }
    }

    func addresses(of _: String) -> AddressAnswer {
        allowed.wait()
        let next = answers.withLock { $0.isEmpty ? .failure(.unavailable) : $0.removeFirst() }
        return AddressAnswer(results: [.system: next])
    }

    func services(of _: String) throws(DNSFailure) -> ServiceAnswer { throw .refused }
}

@Suite("Discovery by DNS")
struct DNSDiscoveryTests {
    private func discovery(
        _ resolver: SteppedResolver, lookupTimeout: Duration = .seconds(600)
    ) -> DNSDiscovery {
        DNSDiscovery(
            .init(
                name: "n", record: .addresses(port: 1), refreshInterval: .milliseconds(1),
                lookupTimeout: lookupTimeout),
            resolver: resolver, seed: 1,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func words(_ result: Result<EndpointSet, ServingError>?) -> String {
        switch result {
        case .success(let set)?: set.words.joined(separator: ", ")
        case .failure(let error)?: "\(error.code): \(error.message)"
        case nil: "end"
        }
    }

    @Test func sets_followEachOther_andFailuresAreToldBetween() async {
        let resolver = SteppedResolver(
            .success(["10.0.0.1"]), .success(["10.0.0.1"]), .success(["10.0.0.1", "10.0.0.2"]),
            .failure(.notFound), .success(["10.0.0.2"]))
        var told: [String] = []
        var reader = discovery(resolver).endpointSets().makeAsyncIterator()
        for lookups in [1, 2, 1, 1] {
            resolver.allow(lookups)
            told.append(words(await reader.next()))
        }
        resolver.allow()
        #expect(
            told == [
                "10.0.0.1:1 1", "10.0.0.1:1 1, 10.0.0.2:1 1",
                "unavailable: DNS: n: there is no such name", "10.0.0.2:1 1",
            ])
    }

    @Test func lookupThatHangs_isToldInTime_andTakenWhenItEnds() async {
        let resolver = SteppedResolver(.success(["10.0.0.1"]))
        var reader = discovery(resolver, lookupTimeout: .milliseconds(1)).endpointSets()
            .makeAsyncIterator()
        #expect(words(await reader.next()) == "unavailable: DNS: n: its lookup takes too long")
        resolver.allow()
        #expect(words(await reader.next()) == "10.0.0.1:1 1")
        resolver.allow()
    }

    @Test func readerThatIsCancelled_endsTheSequence() async {
        let resolver = SteppedResolver()
        let sets = discovery(resolver).endpointSets()
        let reading = Task {
            var count = 0
            for await _ in sets { count += 1 }
            return count
        }
        reading.cancel()
        #expect(await reading.value == 0)
        resolver.allow()
    }

    @Test func lookup_isWaitedForAgainAfterItWasGivenUp() async {
        let mayEnd = DispatchSemaphore(value: 0)
        let lookup = DNSLookup {
            mayEnd.wait()
            return 7
        }
        #expect(await lookup.outcome(within: .milliseconds(1)) == nil)
        mayEnd.signal()
        #expect(await lookup.outcome() == 7)
        #expect(await lookup.outcome(within: .seconds(600)) == 7)
    }

    @Test func waitingThatIsCancelled_endsAtOnce() async {
        let mayEnd = DispatchSemaphore(value: 0)
        let lookup = DNSLookup {
            mayEnd.wait()
            return 7
        }
        let waiting = Task { await lookup.outcome() }
        waiting.cancel()
        #expect(await waiting.value == nil)
        mayEnd.signal()
    }
}
