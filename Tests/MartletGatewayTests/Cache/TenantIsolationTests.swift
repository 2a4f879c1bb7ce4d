import MartletTestKit
import MartletTransport
import Testing

@testable import MartletGateway

/// 100,000 probes, made of few tenants, pools, models and inputs, whose names are chosen to run
/// into each other: every answer that the cache gives was put there by the same tenant for the same.
@Suite("Tenants never share an answer")
struct TenantIsolationTests {
    private static let probes = 100_000

    /// What a probe asks, apart from how keys are made.
    private struct Question: Hashable {
        let tenant: Int
        let pool: Int
        let model: Int
        let version: Int
        let input: Int
    }

    // Swift takes the last two as equal; the others are each other's beginnings and ends.
    private static let tenants = ["", "a", "ab", "b", "a\0", "a,b", "caf\u{E9}", "cafe\u{301}"]
    private static let pools = ["", "b", "a", "bb"]
    private static let models = ["m", "bm", "\0m", "a"]
    private static let versions: [CacheKey.Version] = [
        .latest, .number(1), .label("1"), .label(""),
    ]

    private func draw(_ random: inout SeededGenerator) -> Question {
        Question(
            tenant: Int.random(in: 0..<Self.tenants.count, using: &random),
            pool: Int.random(in: 0..<Self.pools.count, using: &random),
            model: Int.random(in: 0..<Self.models.count, using: &random),
            version: Int.random(in: 0..<Self.versions.count, using: &random),
            input: Int.random(in: 0..<4, using: &random))
    }

    private func key(_ question: Question) -> CacheKey {
        CacheKey.predicting(
            String(repeating: "x", count: question.input), model: Self.models[question.model],
            version: Self.versions[question.version], tenant: Self.tenants[question.tenant],
            source: AnswerSource(pool: Self.pools[question.pool]))
    }

    @Test func answers_areThoseOfTheSameQuestionOfTheSameTenant() throws {
        let seed = SimulationSeeds.first(1).first ?? 1
        var random = SeededGenerator(seed: seed)
        var cache = ResponseCache<Question>(
            // Room for some of the 2048 only, so that places are used again and again.
            configuration: CacheConfiguration(
                capacityBytes: 256 << 10, timeToLive: .fixed(.seconds(50))),
            seed: seed)
        var leading: [(ticket: FlightTicket, question: Question)] = []
        var followed: [FlightTicket: Question] = [:]
        var (hits, shared) = (0, 0)
        for probe in 0..<Self.probes {
            let now = Duration.milliseconds(probe)
            let question = draw(&random)
            switch cache.lookup(key(question), now: now) {
            case .hit(let answer):
                hits += 1
                try #require(answer.value == question, "\(SimulationSeeds.replay(seed))")
                if let ticket = answer.revalidation { leading.append((ticket, question)) }
            case .lead(let ticket): leading.append((ticket, question))
            case .follow(let ticket): followed[ticket] = question
            case .detour: break
            }
            if leading.count > 20 {
                let place = Int.random(in: 0..<leading.count, using: &random)
                let (ticket, asked) = leading.remove(at: place)
                for follower in cache.fulfil(ticket, with: asked, bytes: 100, now: now) {
                    shared += 1
                    let waited = followed.removeValue(forKey: follower)
                    try #require(waited == asked, "\(SimulationSeeds.replay(seed))")
                }
            }
        }
        // Else nothing was shown.
        #expect(hits > Self.probes / 10 && shared > 100)
    }

    /// What names an answer in Redis differs wherever the tenant does, and so do the counters that
    /// decide on what is kept.
    @Test func keysOfTwoTenants_differInEveryForm() {
        var random = SeededGenerator(seed: 1)
        var (forms, questions): (Set<[UInt8]>, Set<Question>) = ([], [])
        for _ in 0..<Self.probes {
            let question = draw(&random)
            guard questions.insert(question).inserted else { continue }
            #expect(forms.insert(key(question).bytes).inserted)
        }
        #expect(forms.count > 1500)
    }

    /// Whether another tenant's answer is there changes nothing of what a tenant is told.
    @Test func answersOfOthers_leaveNoTraceInALookup() throws {
        var random = SeededGenerator(seed: 2)
        let cache = AnswerCache(TrafficPolicy.Cache())
        for _ in 0..<2000 {
            let question = draw(&random)
            let own = key(question)
            for tenant in 0..<Self.tenants.count where tenant != question.tenant {
                let other = Question(
                    tenant: tenant, pool: question.pool, model: question.model,
                    version: question.version, input: question.input)
                guard
                    case .miss(let ticket?) = cache.lookup(
                        key(other), ageMax: .zero, completion: { _ in })
                else { continue }
                cache.answered(
                    ticket,
                    HTTPResponse(status: 200, headers: [:], body: [UInt8(tenant)]), isKept: true)
            }
            switch cache.lookup(own, ageMax: nil, completion: { _ in }) {
            case .hit(let answer, _): try #require(answer.body == [UInt8(question.tenant)])
            case .miss(let ticket?): cache.failed(ticket)
            case .miss(nil), .wait: Issue.record("a tenant waits for another's answer")
            }
        }
    }
}
