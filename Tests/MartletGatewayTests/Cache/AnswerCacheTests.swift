import MartletCore
import MartletTransport
import Synchronization
import Testing

@testable import MartletGateway

@Suite("Answers given out of the cache")
struct AnswerCacheTests {
    private let cache = AnswerCache(TrafficPolicy.Cache())

    private func caching(
        _ tenant: String = "t", path: String = "/v1/models/m:predict"
    ) throws -> RequestState.Caching {
        let call = try #require(PredictionCall(restMethod: "POST", path: path))
        return RequestState.Caching(
            call: call, tenant: tenant, source: AnswerSource(pool: "p"), coding: "", ageMax: nil,
            policy: CachePolicy(isEnabled: true), cache: cache)
    }

    private func key(_ body: String, tenant: String = "t") throws -> CacheKey {
        try #require(cache.key(try caching(tenant), body: Array(body.utf8)))
    }

    private func answer(_ text: String) -> HTTPResponse {
        HTTPResponse(status: 200, contentType: "application/json", body: Array(text.utf8))
    }

    private func ticket(_ lookup: AnswerCache.Lookup) -> FlightTicket? {
        switch lookup {
        case .miss(let ticket): ticket
        case .wait(let ticket): ticket
        case .hit: nil
        }
    }

    @Test func answer_isGivenAgainToTheSameTenantAlone() throws {
        let first = try key(#"{"instances": [1, 2]}"#)
        let led = try #require(ticket(cache.lookup(first, ageMax: nil) { _ in }))
        cache.answered(led, answer("a"), isKept: true)
        guard
            case .hit(let hit, _) = cache.lookup(
                try key(#"{ "instances":[1,2] }"#), ageMax: nil, completion: { _ in })
        else {
            Issue.record("the same input in other words is not found")
            return
        }
        #expect(hit.body == Array("a".utf8))
        let other = cache.lookup(
            try key(#"{"instances": [1, 2]}"#, tenant: "u"), ageMax: nil
        ) { _ in }
        #expect(ticket(other) != nil)
    }

    /// What lies in shared memory is not what the request says.
    @Test func requestsThatNameSharedMemory_haveNoKey() throws {
        let infer = try caching(path: "/v2/models/m/infer")
        func key(_ parameter: String, _ caching: RequestState.Caching) -> CacheKey? {
            let body = #"{"inputs": [{"name": "x", "parameters": {"\#(parameter)": "r"}}]}"#
            return caching.cache.key(caching, body: Array(body.utf8))
        }
        #expect(key("binary_data", infer) != nil)
        #expect(key("shared_memory", infer) == nil)
        #expect(key("shared_memory_region", infer) == nil)
        #expect(key(#"\u0073hared_memory_region"#, infer) == nil)
        // TensorFlow Serving's API knows none: there it is a name as any.
        #expect(try key("shared_memory_region", caching()) != nil)
    }

    /// Tells what became of one who waits.
    private final class Waiter: Sendable {
        let outcome = Mutex<AnswerCache.Outcome?>(nil)

        func take(_ new: AnswerCache.Outcome) { outcome.withLock { $0 = new } }
    }

    @Test func whoAsksTheSame_getsTheAnswerOfWhoLeads() throws {
        let key = try key("[1]")
        let led = try #require(ticket(cache.lookup(key, ageMax: nil) { _ in }))
        let waiter = Waiter()
        guard case .wait = cache.lookup(key, ageMax: nil, completion: waiter.take) else {
            Issue.record("the second asks the node, too")
            return
        }
        cache.answered(led, answer("a"), isKept: false)
        guard case .answer(let shared, nil)? = waiter.outcome.withLock({ $0 }) else {
            Issue.record("who waited has no answer")
            return
        }
        #expect(shared.body == Array("a".utf8))
    }

    @Test func whoWaits_leadsWhereTheLeaderFails() throws {
        let key = try key("[1]")
        let led = try #require(ticket(cache.lookup(key, ageMax: nil) { _ in }))
        let (gone, waiter) = (Waiter(), Waiter())
        let left = try #require(ticket(cache.lookup(key, ageMax: nil, completion: gone.take)))
        _ = cache.lookup(key, ageMax: nil, completion: waiter.take)
        // The one whose client has hung up is passed over.
        cache.failed(left)
        cache.failed(led)
        #expect(gone.outcome.withLock { $0 == nil })
        guard case .lead? = waiter.outcome.withLock({ $0 }) else {
            Issue.record("nobody leads")
            return
        }
    }

    @Test func newVersion_makesAnswersOfThePast() throws {
        func serves(_ versions: [String]) -> [ModelStatus] {
            [
                ModelStatus(
                    name: "m",
                    versions: versions.map { ModelVersionStatus(version: $0, state: "AVAILABLE") })
            ]
        }
        let endpoint = ModelVersionLedger.Member(pool: "p", endpoint: EndpointID("a:1"))
        cache.note(serves(["1"]), at: endpoint)
        let key = try key("[1]")
        let led = try #require(ticket(cache.lookup(key, ageMax: nil) { _ in }))
        cache.answered(led, answer("a"), isKept: true)
        cache.note(serves(["1", "2"]), at: endpoint)
        #expect(ticket(cache.lookup(key, ageMax: nil) { _ in }) != nil)
    }
}
