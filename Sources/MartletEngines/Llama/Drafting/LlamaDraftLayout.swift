internal import MartletCore

/// How the sequences of a draft model lie in memory.
///
/// It remembers few sequences, as it is asked while few run.
struct LlamaDraftLayout: Sendable, Equatable {
    /// Most tokens that it reads in one go: it is to catch up soon, and to hold nobody up for long.
    static let stepTokens = 256

    /// The part of the model's own KV memory that it may take beyond one sequence.
    private static let memoryShare = 0.25

    /// Tokens of one sequence.
    let contextTokens: Int

    /// Sequences that it remembers.
    let places: Int

    /// Works a layout out.
    ///
    /// - Parameters:
    ///   - options: what the operator wants.
    ///   - files: the draft model.
    ///   - layout: how the model lies for which it guesses.
    init(_ options: LlamaEngine.Options, files: DraftModelFiles, layout: LlamaLayout) {
        let training =
            files.sizes.contextTokens > 0 ? files.sizes.contextTokens : layout.contextTokens
        contextTokens = min(layout.contextTokens, training)
        let most = min(SchedulerSettings.draftSequencesUsual, layout.running)
        let share = Double(max(0, options.memoryBytes)) * LlamaDraftLayout.memoryShare
        let sequenceBytes = max(1, files.cellBytes).saturatingProduct(contextTokens)
        places = max(1, min(most, Int(share) / max(1, sequenceBytes)))
    }

    /// KV cells of all sequences together.
    var cells: Int { places.saturatingProduct(contextTokens) }

    /// Tokens of one decode.
    var batch: Int { max(LlamaDraftLayout.stepTokens, places) }

    /// The engine's form of it.
    func context(threads: Int) -> LlamaContextOptions {
        var context = LlamaContextOptions()
        context.cells = cells
        context.isUnified = false
        context.sequences = places
        context.batch = min(batch, max(cells, 1))
        context.microBatch = context.batch
        context.outputs = places
        context.threads = threads
        context.batchThreads = threads
        return context
    }
}
