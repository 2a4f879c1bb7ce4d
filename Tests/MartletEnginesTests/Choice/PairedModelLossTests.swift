import MartletCore
import Synchronization
import Testing

@testable import MartletEngines

@Suite("A pair of engines of which one cannot go on")
struct PairedModelLossTests {
    /// What one client was told.
    private final class Client: Sendable {
        private let told = Mutex<[String]>([])
        private let errors = Mutex<[ServingError]>([])

        var events: [String] { told.withLock { $0 } }
        var error: ServingError? { errors.withLock { $0.last } }

        func take(_ event: GenerationEvent) {
            let text =
                switch event {
                case .started(let cached): "started \(cached)"
                case .token(let token): "token \(token.id)"
                case .finished(let reason, _): reason.rawValue
                case .failed(let error, _): error.code.name
                }
            told.withLock { $0.append(text) }
            if case .failed(let error, _) = event { errors.withLock { $0.append(error) } }
        }
    }

    private let alone = HoldingModel(context: 64)
    private let many = HoldingModel(context: 32)
    private let pair: PairedLanguageModel

    init() {
        pair = PairedLanguageModel(alone: alone, many: many, names: ("one", "other"))
    }

    private var open: [Int] { [alone.open, many.open] }

    private func submit(
        _ change: (inout GenerationRequest) -> Void = { _ in }
    ) throws -> (GenerationID, Client) {
        let client = Client()
        var request = GenerationRequest(prompt: [1])
        change(&request)
        return (try pair.submit(request) { client.take($0) }, client)
    }

    /// One request that the first engine has, and one that the other has.
    private func submitToBoth(
        _ change: (inout GenerationRequest) -> Void = { _ in }
    ) throws -> (GenerationID, Client) {
        _ = try submit()
        let second = try submit(change)
        #expect(open == [1, 1])
        return second
    }

    private let token = GenerationEvent.token(GeneratedToken(id: 7, bytes: []))

    @Test func whatHasNoToken_goesOnWithTheFirstAsItWasAsked() throws {
        let deadline = Deadline.after(.seconds(1000))
        let (_, client) = try submitToBoth {
            $0.deadline = deadline
            $0.sampling.seed = 11
            $0.sampling.temperature = 0.25
        }
        many.tell(.started(cachedTokens: 3))
        many.die()
        #expect(open == [2, 0])
        let moved = try #require(alone.requests.last)
        #expect(moved.deadline.instant == deadline.instant)
        #expect(moved.sampling.seed == 11 && moved.sampling.temperature == 0.25)
        alone.tell(.started(cachedTokens: 0))
        alone.tell(token)
        alone.tell(.finished(.length, GenerationUsage()))
        // A client sees one beginning and one end.
        #expect(client.events == ["started 3", "token 7", "length"])
    }

    @Test func whatHasAToken_failsWithItsEngine() throws {
        let (_, client) = try submitToBoth()
        many.tell(.started(cachedTokens: 0))
        many.tell(token)
        many.die()
        #expect(open == [1, 0])
        #expect(client.events == ["started 0", "token 7", "UNAVAILABLE"])
    }

    @Test func requestsMeanwhile_goToTheFirstUntilTheOtherIsBack() throws {
        _ = try submitToBoth()
        many.die()
        _ = try submit()
        #expect(open == [3, 0])
        many.refuse(nil)
        _ = try submit()
        #expect(open == [3, 1])
    }

    @Test func movedRequest_isCancelledByTheNameItHad() throws {
        let (id, client) = try submitToBoth()
        many.die()
        pair.cancel(id, reason: .stop)
        #expect(client.events == ["stop"])
        #expect(open == [1, 0])
        #expect(alone.cancelled == [.stop])
    }

    @Test func requestCancelledAsItsEngineDies_isNotMoved() throws {
        let (id, client) = try submitToBoth()
        many.goDeaf()
        pair.cancel(id, reason: .cancelled)
        many.die()
        #expect(client.events == ["cancelled"])
        #expect(open == [1, 0])
        #expect(alone.requests.count == 1)
    }

    @Test func requestThatTheFirstHasNoRoomFor_isToldWhenToComeBack() throws {
        let (first, _) = try submit()
        let (_, client) = try submit()
        alone.refuse(ServingError(.resourceExhausted, "full"))
        many.die()
        #expect(client.events == ["RESOURCE_EXHAUSTED"])
        #expect(client.error?.cause is GenerationRefusal)
        #expect(open == [1, 0])
        // It is counted no more: with the first gone the model is at rest.
        alone.refuse(nil)
        many.refuse(nil)
        pair.cancel(first)
        _ = try submit()
        #expect(open == [1, 0])
    }

    @Test func failureThatTheFirstWouldShare_isTold() throws {
        let (_, client) = try submitToBoth()
        many.die(ServingError(.resourceExhausted, "no room"))
        #expect(client.events == ["RESOURCE_EXHAUSTED"])
        #expect(alone.requests.count == 1)
    }

    @Test func failureOfTheFirst_isTold() throws {
        let (_, client) = try submit()
        alone.die()
        #expect(client.events == ["UNAVAILABLE"])
        #expect(open == [0, 0])
    }

    @Test func onlyTheSecond_isToldThatThereIsAnotherEngine() throws {
        _ = try submitToBoth()
        many.die()
        #expect(many.requests.map(\.hasOtherEngine) == [true])
        #expect(alone.requests.map(\.hasOtherEngine) == [false, false])
    }

    /// By one seed both would say different things, as one of them draws its numbers otherwise.
    @Test func sequencesThatComeTogether_haveOneEngine() throws {
        for _ in 0..<3 {
            let (id, _) = try submit { $0.sequences = 3 }
            #expect(open == [0, 1])
            // One that ends before the next is asked for changes nothing.
            pair.cancel(id)
        }
        _ = try submit()
        #expect(open == [1, 0])
    }

    @Test func routing_forgetsWhatHasEnded() throws {
        var routing = EngineRouting()
        let gone = ServingError(.unavailable, "gone")
        let (first, _) = routing.begin(of: 1)
        let (second, place) = routing.begin(of: 1)
        #expect(place == .many)
        #expect(routing.didFail(second, gone) == .moved)
        // What the engine it was moved from calls it comes too late.
        #expect(routing.didSubmit(second, as: GenerationID(number: 5), to: .many) == nil)
        let known = routing.cancel(second, reason: .stop)
        #expect(known?.own == nil)
        let unwanted = routing.didSubmit(second, as: GenerationID(number: 6), to: .alone)
        #expect(unwanted == .stop)
        #expect(routing.didFail(second, gone) == .told)
        routing.end(first)
        #expect(routing.count == 0)
        #expect(routing.open == [0, 0])
    }
}
