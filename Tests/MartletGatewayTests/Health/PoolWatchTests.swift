import Logging
import MartletCore
import MartletTelemetry
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Watches over pools")
struct PoolWatchTests {
    /// The pauses behind the first checks of eight endpoints that nobody listens at.
    private func firstPauses(seed: UInt64) async throws -> [Duration] {
        let ports = (1...8).map { "127.0.0.1:\($0)" }.joined(separator: ", ")
        let rules = GatewayRules(
            try readPolicy("endpoints: [\(ports)]\n").policy, now: .zero)
        let policy = GatewayPolicy(
            rules: rules, journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let eventLoops = EventLoops(count: 1)
        let (pauses, noting) = AsyncStream<Duration>.makeStream()
        let watch = PoolWatch(
            try #require(rules.pools.first), policy: policy, eventLoops: eventLoops, seed: seed
        ) { pause in
            noting.yield(pause)
            // For good: until the watch ends, which cancels it.
            try? await Task.sleep(for: .seconds(86_400))
        }
        let run = Task { await watch.run() }
        var seen: [Duration] = []
        for await pause in pauses {
            seen.append(pause)
            if seen.count == 8 { break }
        }
        watch.end()
        await run.value
        await eventLoops.shutDown()
        return seen.sorted()
    }

    @Test func endpointsOfAPool_areNotCheckedInLockStep() async throws {
        let pauses = try await firstPauses(seed: 1)
        #expect(Set(pauses).count == 8)
        #expect(pauses.allSatisfy { $0 >= .milliseconds(500) && $0 <= .milliseconds(1500) })
    }

    @Test func gateways_checkAtTimesOfTheirOwn() async throws {
        let one = try await firstPauses(seed: 1)
        let same = try await firstPauses(seed: 1)
        let other = try await firstPauses(seed: 2)
        #expect(one == same)
        #expect(Set(one).isDisjoint(with: other))
    }
}
