import MartletCore

/// What a language model takes beside its weights, worked out before it is loaded.
///
/// It is meant to be an upper bound that is near: layers that look back a short way only are
/// counted as if they saw all tokens. What the engine really took is known afterwards.
struct LlamaMemoryEstimate: Sendable, Equatable {
    /// States of a token that a step keeps at once, each as wide as an embedding: the inner layer
    /// of a network is about four times as wide, and it has a gate.
    private static let statesPerToken = 16

    private static let floatBytes = 4

    /// Bytes of keys and values.
    let memoryBytes: Int

    /// Bytes to compute in: the states of a step's tokens, and the scores of those with an output,
    /// which are computed in one place and read from another.
    let computeBytes: Int

    /// Bytes of a draft model: its weights, its keys and values, and what it computes in.
    let draftBytes: Int

    /// All together.
    var byteCount: Int { [memoryBytes, computeBytes, draftBytes].saturatingSum }

    /// Works the memory out by the layout that the model will be given.
    init(_ options: LlamaEngine.Options, files: LanguageModelFiles) {
        let sizes = files.sizes
        let training =
            sizes.contextTokens > 0
            ? sizes.contextTokens : LlamaEngine.Options.contextTokensUsual
        let layout = LlamaLayout(
            options, trainingContext: training, cellBytes: files.cellBytes,
            hasDraftModel: files.draft != nil)
        let (cells, step, outputs): (Int, Int, Int)
        if sizes.embeds {
            // As an embedder is made: one batch, and no scores.
            cells = min(layout.contextTokens, training)
            (step, outputs) = (cells, 0)
        } else {
            let context = layout.context(options, threads: 1, embeds: false)
            cells = layout.cells
            (step, outputs) = (context.microBatch, min(context.outputs ?? 0, context.batch))
        }
        memoryBytes = max(0, files.cellBytes).saturatingProduct(cells)
        computeBytes = LlamaMemoryEstimate.computeBytes(sizes, step: step, outputs: outputs)
        draftBytes =
            files.draft.map { draft in
                let layout = LlamaDraftLayout(options, files: draft, layout: layout)
                return [
                    draft.fileBytes, max(0, draft.cellBytes).saturatingProduct(layout.cells),
                    LlamaMemoryEstimate.computeBytes(
                        draft.sizes, step: layout.batch, outputs: layout.places),
                ].saturatingSum
            } ?? 0
    }

    private static func computeBytes(
        _ sizes: LanguageModelSizes, step: Int, outputs: Int
    ) -> Int {
        [
            step.saturatingProduct(sizes.embedding).saturatingProduct(statesPerToken),
            outputs.saturatingProduct(sizes.vocabulary).saturatingProduct(2),
        ].saturatingSum.saturatingProduct(floatBytes)
    }
}
