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

    /// Both together.
    var byteCount: Int { [memoryBytes, computeBytes].saturatingSum }

    /// Works the memory out by the layout that the model will be given.
    init(_ options: LlamaEngine.Options, files: LanguageModelFiles) {
        let sizes = files.sizes
        let training =
            sizes.contextTokens > 0
            ? sizes.contextTokens : LlamaEngine.Options.contextTokensUsual
        let layout = LlamaLayout(options, trainingContext: training, cellBytes: files.cellBytes)
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
        let numbers = [
            step.saturatingProduct(sizes.embedding)
                .saturatingProduct(LlamaMemoryEstimate.statesPerToken),
            outputs.saturatingProduct(sizes.vocabulary).saturatingProduct(2),
        ].saturatingSum
        computeBytes = numbers.saturatingProduct(LlamaMemoryEstimate.floatBytes)
    }
}
