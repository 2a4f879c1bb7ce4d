import MartletTestKit

@testable import MartletGateway

extension InputDigester {
    /// A digester whose hash anybody can make collide, for tests only.
    static let test = InputDigester { bytes in
        var words: [UInt8] = []
        for lane in UInt64(0)..<4 {
            var hash = SeededHash(seed: lane)
            hash.combine(bytes)
            words += (0..<8).map { UInt8(truncatingIfNeeded: hash.value >> (56 - $0 * 8)) }
        }
        return InputDigest.Words(words)
    }
}

extension CacheKey {
    /// A key of a prediction on this input.
    static func predicting(
        _ input: String, model: String = "pitch", version: Version = .latest,
        tenant: String = "acme", source: AnswerSource = AnswerSource(pool: "main"),
        signature: String = "", operation: String = "rest/v1:predict"
    ) -> CacheKey {
        CacheKey(
            tenant: tenant, source: source, model: model, version: version,
            signature: signature, operation: operation,
            input: InputDigester.test.digest(bytes: Array(input.utf8)))
    }
}

extension AdaptiveTTL {
    /// The same life for every answer.
    static func fixed(_ life: Duration) -> AdaptiveTTL {
        AdaptiveTTL(minimum: life, maximum: life)
    }
}

extension CacheLookup {
    /// The answer of a hit.
    var answer: CachedAnswer<Value>? {
        if case .hit(let answer) = self { answer } else { nil }
    }

    /// The ticket of one who leads.
    var lead: FlightTicket? {
        if case .lead(let ticket) = self { ticket } else { nil }
    }

    /// The ticket of one who follows.
    var follow: FlightTicket? {
        if case .follow(let ticket) = self { ticket } else { nil }
    }

    /// Whether the asker is sent its own way.
    var isDetour: Bool {
        if case .detour = self { true } else { false }
    }
}
