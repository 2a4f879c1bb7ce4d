import MartletCore
import MartletTelemetry
import MartletTransport
import Synchronization
import Testing

@testable import MartletGateway

@Suite("What nodes say of prompts that they keep")
struct EndpointMemoryTests {
    private let a = UpstreamAddress(host: "a", port: 1)
    private let directory: EndpointDirectory

    init() throws {
        let text = "pools: [{name: p, endpoints: [a:1], balancing: prefix_aware}]\n"
        let pool = try #require(
            GatewayRules(try readPolicy(text).policy, now: .zero).pools.first)
        directory = pool.directory
        check(EndpointMemory())
    }

    /// A check that finds the node well, which says this.
    private func check(_ memory: EndpointMemory) {
        let outcome = HealthCheckOutcome(
            isReady: true, isDegraded: false, load: nil, models: nil, memory: memory)
        _ = directory.checkEnded(a, outcome, begunAt: directory.checkBegins(a))
    }

    /// Sends a prompt of so many blocks.
    private func send(_ blocks: UInt64) throws {
        let prompt = PickRequest(prompt: PromptBlocks(hashes: (0..<blocks).map { $0 + 7 }))
        #expect(directory.pickFirst(prompt).address == a)
    }

    /// Blocks that are noted of the node.
    private var noted: Int? {
        (directory.state.withLock { $0.balancer } as? PrefixAware)?.blocksNoted(of: a.id)
    }

    @Test func report_tellsOfRoomAndStart() {
        let report = LoadReport(
            namedMetrics: ["kv_tokens_total": 4096, "start_seconds": 1_800_000_000])
        #expect(
            EndpointMemory(report) == EndpointMemory(cacheTokens: 4096, start: 1_800_000_000))
        #expect(EndpointMemory(LoadReport()) == EndpointMemory())
        for odd in [-1, 0, .nan] {
            let report = LoadReport(namedMetrics: ["kv_tokens_total": odd])
            #expect(EndpointMemory(report).cacheTokens == nil)
        }
        let huge = LoadReport(namedMetrics: ["kv_tokens_total": .infinity])
        #expect(EndpointMemory(huge).cacheTokens == 1_000_000_000)
        let readiness = HTTPResponse(
            status: 200, headers: [LoadReport.headerName: report.headerValue])
        let outcome = HealthCheckOutcome(readiness: readiness, listing: nil)
        #expect(outcome.memory.cacheTokens == 4096 && outcome.memory.start == 1_800_000_000)
    }

    @Test func node_isThoughtToHoldWhatItHasRoomFor() throws {
        try send(100)
        #expect(noted == 100)
        // Four bytes a token: 64 tokens make a block of 256 bytes.
        check(EndpointMemory(cacheTokens: 640))
        #expect(noted == 10)
        try send(100)
        #expect(noted == 10)
    }

    @Test func nodeThatBeganAnew_holdsNothing() throws {
        check(EndpointMemory(start: 1000))
        try send(100)
        check(EndpointMemory(start: 1000))
        check(EndpointMemory())
        #expect(noted == 100)
        check(EndpointMemory(start: 1060))
        #expect(noted == 0)
        try send(50)
        check(EndpointMemory(start: 1060))
        #expect(noted == 50)
    }

    @Test func blocksSentToWhereTheyAre_areCounted() throws {
        try send(10)
        try send(15)
        #expect(directory.prefixBlocks?.sent == 25 && directory.prefixBlocks?.held == 10)
        let other = try #require(
            GatewayRules(try readPolicy("endpoints: [a:1]").policy, now: .zero).pools.first)
        #expect(other.directory.prefixBlocks == nil)
    }
}
