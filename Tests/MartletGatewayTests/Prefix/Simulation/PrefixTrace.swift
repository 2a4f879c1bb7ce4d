import Foundation
import MartletTestKit

@testable import MartletGateway

/// Requests to a language model as they came, their prompts as numbered blocks.
///
/// The form is that of the traces published with Qin et al., "Mooncake: a KVCache-centric
/// disaggregated architecture for LLM serving", 2024: a line of JSON for each request, and equal
/// numbers for blocks of 512 tokens that are equal with all that is before them.
struct PrefixTrace: Sendable {
    /// A request.
    struct Request: Sendable, Decodable {
        /// Milliseconds since the begin.
        let timestamp: Double
        let inputTokens: Int
        let outputTokens: Int
        let blocks: [UInt64]

        enum CodingKeys: String, CodingKey {
            case timestamp
            case inputTokens = "input_length"
            case outputTokens = "output_length"
            case blocks = "hash_ids"
        }
    }

    static let blockTokens = 512

    let name: String
    let requests: [Request]

    /// The trace in a file.
    init(contentsOf url: URL) throws {
        let decoder = JSONDecoder()
        name = url.lastPathComponent
        requests = try Data(contentsOf: url).split(separator: UInt8(ascii: "\n")).map {
            try decoder.decode(Request.self, from: $0)
        }
    }

    /// Conversations of several turns, each below one of a few beginnings that are common, some far
    /// more than others.
    ///
    /// - Parameters:
    ///   - conversations: how many; a new one begins about every two seconds.
    ///   - seed: of everything random.
    init(conversations: Int, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let beginnings = ZipfKeys(count: 30)
        var requests: [Request] = []
        var begin = 0.0
        var fresh: UInt64 = 1 << 40
        for _ in 0..<conversations {
            begin += random.interval(rate: 0.5) * 1000
            var time = begin
            let beginning = beginnings.draw(&random)
            var blocks: [UInt64] = [0] + (1...4).map { beginning << 20 | $0 }
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    blocks.append(fresh)
                    fresh += 1
                }
                requests.append(
                    Request(
                        timestamp: time, inputTokens: blocks.count * Self.blockTokens,
                        outputTokens: Int.random(in: 50...600, using: &random), blocks: blocks))
                time += 10_000 + random.interval(rate: 0.02) * 1000
            }
        }
        name = "synthetic"
        self.requests = requests.sorted { $0.timestamp < $1.timestamp }
    }
}
