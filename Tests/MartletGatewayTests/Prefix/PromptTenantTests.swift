import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Prompts of several tenants")
struct PromptTenantTests {
    private let reader = PromptReader(
        configuration: PrefixConfiguration(blockBytes: 16, blocksMax: 8), secret: 1)

    /// Where a prompt goes must not tell that another tenant has sent it.
    @Test(arguments: SimulationSeeds.first(10))
    func aPrompt_isNeverFoundInWhatOtherTenantsSent(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var index = PrefixIndex()
        let holder = index.addHolder(capacity: 1 << 20)
        // Of the tenants, with and without a salt.
        var sent: [String: Set<[Bool]>] = [:]
        var found = 0
        for _ in 0..<2_000 {
            let tenant = ["", "a", "b", "ab"].randomElement(using: &generator) ?? ""
            let salts = ["", #","cache_salt":"a""#, #","cache_salt":"b""#]
            let salt = salts.randomElement(using: &generator) ?? ""
            // Few beginnings, so that all tenants have nearly all of them.
            let blocks = (0..<4).map { _ in Bool.random(using: &generator) }
            let text = blocks.map { String(repeating: $0 ? "x" : "y", count: 16) }.joined()
            let body = #"{"model":"m","prompt":"\#(text)"\#(salt)}"#
            let prompt = try #require(reader.blocks(inBody: Array(body.utf8), tenant: tenant))
            let matched = index.matches(prompt.hashes)[holder]
            let own = sent[tenant + salt, default: []].map { kept in
                zip(kept, blocks).prefix { $0 == $1 }.count
            }
            guard matched == own.max() ?? 0 else {
                Issue.record(
                    "\(matched) blocks for '\(tenant)'\(salt); \(SimulationSeeds.replay(seed))")
                return
            }
            found += matched
            // Most are probes alone.
            guard Int.random(in: 0..<50, using: &generator) == 0 else { continue }
            sent[tenant + salt, default: []].insert(blocks)
            index.record(prompt.hashes, at: holder)
        }
        #expect(found > 0)
    }
}
