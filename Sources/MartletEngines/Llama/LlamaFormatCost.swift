/// What a type of weights costs on processors, for which it has no fast kernel.
public struct LlamaFormatCost: Sendable, Equatable {
    /// Tokens a second of sequences that are generated together, as a share of those in Q4_0.
    public let decode: Double

    /// Tokens a second of prompts, as a share of those in Q4_0.
    public let prefill: Double
}

extension LlamaQuantization {
    /// What was measured where the type is slow; `nil` for one with a fast kernel, or of which
    /// nothing is known.
    ///
    /// Measured with SmolLM2-135M on a processor with AVX2: Q4_1 by two threads, with 8 and 16
    /// sequences; Q5_1 by the processor time of one thread, with 8.
    public var costOnProcessors: LlamaFormatCost? {
        switch self {
        case .q4_1: LlamaFormatCost(decode: 0.45, prefill: 0.25)
        case .q5_1: LlamaFormatCost(decode: 0.47, prefill: 0.31)
        default: nil
        }
    }
}
