import MartletCore

/// How a model's sequences lie in memory: what follows from the operator's wishes and the model's
/// sizes.
struct LlamaLayout: Sendable, Equatable {
    /// More than that many sequences are not worth keeping: each has room for its outputs.
    static let slotsMax = 64

    /// A memory of this many whole sequences is split.
    static let splitMin = 4

    /// Tokens of one sequence.
    let contextTokens: Int

    /// KV cells of all sequences together.
    let cells: Int

    /// Sequences that are held, running or cached.
    let slots: Int

    /// Sequences that run at once.
    let running: Int

    /// Whether all share one memory.
    let isUnified: Bool

    /// Most tokens that are guessed ahead in a sequence by a draft model; 0 without one.
    let draftModelTokens: Int

    /// Works a layout out.
    ///
    /// - Parameters:
    ///   - options: what the operator wants.
    ///   - files: what the model's file says.
    ///   - model: what the engine says of it.
    init(_ options: LlamaEngine.Options, files: LanguageModelFiles, model: LlamaModelInfo) {
        self.init(
            options, trainingContext: model.trainingContext, cellBytes: files.cellBytes,
            hasDraftModel: files.draft != nil)
    }

    init(
        _ options: LlamaEngine.Options, trainingContext: Int, cellBytes: Int,
        hasDraftModel: Bool = false
    ) {
        contextTokens = options.contextTokens(trainedWith: trainingContext)
        let wanted = options.cells(ofBytes: cellBytes)
        let whole = wanted / contextTokens
        let isSplit =
            switch options.layout {
            case .automatic: whole >= LlamaLayout.splitMin
            case .split: true
            case .unified: false
            }
        isUnified = !isSplit
        if isSplit {
            slots = min(max(1, whole), LlamaLayout.slotsMax)
            cells = slots * contextTokens
        } else {
            slots = LlamaLayout.slotsMax
            cells = max(contextTokens, min(wanted, LlamaLayout.slotsMax * contextTokens))
        }
        running = min(max(1, options.sequences), slots)
        draftModelTokens = hasDraftModel ? max(0, options.draftMax) : 0
    }

    /// The engine's form of it.
    func context(
        _ options: LlamaEngine.Options, threads: Int, embeds: Bool
    ) -> LlamaContextOptions {
        var context = LlamaContextOptions()
        context.cells = cells
        context.isUnified = isUnified
        context.sequences = slots
        context.batch = max(options.stepTokens, slots)
        context.microBatch = context.batch
        // Guesses want an output each, and are made for few sequences.
        let guesses = max(0, options.draftTokens, draftModelTokens)
        context.outputs = max(slots, SchedulerSettings.draftSequencesUsual * (1 + guesses))
        context.threads = threads
        context.batchThreads = threads
        context.givesEmbeddings = embeds
        return context
    }

    /// The scheduler's form of it, for a context that was made.
    func scheduler(
        _ options: LlamaEngine.Options, limits: LlamaContextLimits, isRecurrent: Bool
    ) -> SchedulerSettings {
        var settings = SchedulerSettings(
            cells: limits.cells, slots: min(slots, limits.sequences),
            contextTokensMax: min(contextTokens, limits.sequenceCells),
            stepTokensMax: limits.batch, runningMax: running)
        settings.prefillShare = options.promptShare
        settings.waitingMax = options.waitingMax
        settings.draftTokensMax = isRecurrent ? 0 : options.draftTokens
        settings.draftModelTokensMax = isRecurrent ? 0 : draftModelTokens
        settings.sharing = isRecurrent ? .none : limits.isUnified ? .byReference : .byCopy
        return settings
    }
}

extension LlamaEngine.Options {
    /// Most tokens of one sequence of a model, for any engine.
    ///
    /// - Parameter training: tokens that the model was trained with; 0 if nobody knows.
    /// - Returns: 1 at least.
    func contextTokens(trainedWith training: Int) -> Int {
        let usual = LlamaEngine.Options.contextTokensUsual
        return max(1, contextTokens ?? (training > 0 ? min(training, usual) : usual))
    }

    /// KV cells that are wanted for all sequences together, or that memory is there for.
    func cells(ofBytes cellBytes: Int) -> Int {
        memoryTokens ?? max(0, memoryBytes) / max(1, cellBytes)
    }
}
