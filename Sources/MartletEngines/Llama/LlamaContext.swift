internal import CLlama
import MartletCore

/// The memory of sequences of a model, and what computes over it.
///
/// Used by one thread at a time, with what is sampled from it: it has no lock, as whoever runs its
/// decode loop is its only caller. Only ``setCancelled(_:)`` and ``limits`` are for any thread.
public final class LlamaContext: Sendable {
    /// Whose weights it computes with.
    public let model: LlamaModel

    /// What it has.
    public let limits: LlamaContextLimits

    // Whoever runs the decode loop is its only caller; freed in deinit.
    nonisolated(unsafe) let pointer: OpaquePointer
    // Those that are applied must live; likewise its only caller's.
    nonisolated(unsafe) private var adapters: [LlamaAdapter] = []

    /// Takes the memory.
    ///
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for options that do not go together,
    ///   `INTERNAL` if there is not enough memory.
    public init(model: LlamaModel, options: LlamaContextOptions) throws {
        let library = model.library
        var parameters = options.parameters(library.api.context_defaults())
        let pointer = try library.object("make a context") {
            library.api.context_create(model.pointer, &parameters, $0, $1)
        }
        var info = martlet_llama_context_info()
        library.api.context_info(pointer, &info)
        self.model = model
        self.pointer = pointer
        limits = LlamaContextLimits(info)
    }

    deinit { model.library.api.context_free(pointer) }

    /// Computes a batch; what an earlier one gave is gone.
    ///
    /// - Returns: how it ended.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for a batch that is too large, or whose tokens,
    ///   sequences or positions are wrong (nothing was done); `INTERNAL` if the engine failed.
    public func decode(_ batch: LlamaBatch) throws -> LlamaDecodeOutcome {
        var error = martlet_llama_error()
        let status = model.library.api.decode(pointer, batch.tokens, batch.count, &error)
        switch Int(status) {
        case MARTLET_LLAMA_OK: return .computed
        case MARTLET_LLAMA_FULL: return .full
        case MARTLET_LLAMA_CANCELLED: return .cancelled
        default: throw LlamaLibrary.failure(status, error, "decode a batch")
        }
    }

    /// While set, a decode that runs or begins ends as soon as it can; from any thread.
    public func setCancelled(_ isCancelled: Bool) {
        model.library.api.context_cancel(pointer, isCancelled)
    }

    /// Changes how many threads compute.
    public func setThreads(_ threads: Int, batch: Int) {
        model.library.api.context_set_threads(
            pointer, Int32(clamping: threads), Int32(clamping: batch))
    }

    /// Applies adapters to all that is computed from then on, in place of those before.
    ///
    /// - Parameter adapters: each with how strongly it is applied, usually 1.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for an adapter of another model.
    public func setAdapters(_ adapters: [(adapter: LlamaAdapter, scale: Float)]) throws {
        let pointers = adapters.map { Optional($0.adapter.pointer) }
        let scales = adapters.map(\.scale)
        try model.library.check("apply adapters") {
            model.library.api.context_set_adapters(pointer, pointers, scales, pointers.count, $0)
        }
        self.adapters = adapters.map(\.adapter)
    }

    /// What it has done since it was made, or since ``resetPerformance()``.
    public var performance: LlamaPerformance {
        var data = martlet_llama_performance()
        model.library.api.performance(pointer, &data)
        return LlamaPerformance(
            prompt: .milliseconds(data.prompt_milliseconds),
            decode: .milliseconds(data.decode_milliseconds),
            promptTokens: Int(data.prompt_tokens), decodedTokens: Int(data.decoded_tokens),
            reusedGraphs: Int(data.reused_graphs))
    }

    /// Counts from zero again.
    public func resetPerformance() {
        model.library.api.reset_performance(pointer)
    }
}

/// What a context has done.
public struct LlamaPerformance: Sendable, Equatable {
    /// Time spent on batches of several tokens.
    public let prompt: Duration

    /// Time spent on single tokens.
    public let decode: Duration

    /// Tokens in batches of several.
    public let promptTokens: Int

    /// Tokens that came alone.
    public let decodedTokens: Int

    /// Decodes that could use the plan of the one before.
    public let reusedGraphs: Int
}
