internal import Foundation
import MartletCore

/// How well a model foresees a text, and how fast it computes.
public struct LlamaMeasurement: Sendable, Equatable {
    /// How a model is measured.
    public struct Options: Sendable, Equatable {
        /// Threads that compute; for single tokens fewer, where that is faster.
        public var threads = 1

        /// Most tokens of the text that are looked at.
        public var tokensMax = 512

        /// Tokens that are generated one by one in each round.
        public var decodedTokens = 32

        /// How often the speed is measured; the fastest round counts, as what disturbs a
        /// measurement only ever makes it slower.
        public var rounds = 5

        /// No further round begins after so long.
        public var longest = Duration.seconds(6)

        /// The defaults.
        public init() {}
    }

    /// The tokens of the text.
    public let tokens: [Int32]

    /// The perplexity of the text: how many tokens the model hesitates between on average, from 1
    /// on; less is better.
    public let perplexity: Double

    /// The token that the model holds for the likeliest after each token but the last.
    public let choices: [Int32]

    /// Tokens of a prompt computed in a second.
    public let prefillTokensPerSecond: Double

    /// Tokens of one sequence generated in a second.
    public let decodeTokensPerSecond: Double

    init(
        tokens: [Int32], perplexity: Double, choices: [Int32], prefillTokensPerSecond: Double,
        decodeTokensPerSecond: Double
    ) {
        self.tokens = tokens
        self.perplexity = perplexity
        self.choices = choices
        self.prefillTokensPerSecond = prefillTokensPerSecond
        self.decodeTokensPerSecond = decodeTokensPerSecond
    }

    /// Measures a model; takes a context of its own for as long as that lasts.
    ///
    /// - Parameters:
    ///   - model: one that generates.
    ///   - text: what it is to foresee; a built-in one of some 500 tokens of English for `nil`.
    ///   - options: how.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for a model that cannot generate or a text of
    ///   fewer than two tokens, `INTERNAL` where its scores are no numbers, `RESOURCE_EXHAUSTED`
    ///   for too little memory.
    public init(of model: LlamaModel, text: String? = nil, options: Options = Options()) throws {
        guard model.info.hasDecoder, !model.info.hasEncoder else {
            throw ServingError.invalidArgument("A model that does not generate is not measured")
        }
        let all = try model.tokenize(
            text ?? LlamaSampleText.english, addsSpecial: true, readsSpecial: false)
        let room = max(2, model.info.trainingContext - options.decodedTokens)
        tokens = Array(all.prefix(min(max(2, options.tokensMax), room)))
        guard tokens.count >= 2 else {
            throw ServingError.invalidArgument("A text of one token cannot be foreseen")
        }
        let course = try LlamaMeasurementCourse(model, tokens: tokens, options: options)
        (perplexity, choices) = try course.foresee()
        (prefillTokensPerSecond, decodeTokensPerSecond) = try course.time()
    }
}

/// The steps of a measurement.
private struct LlamaMeasurementCourse {
    /// Tokens whose scores are held at once: each has one for every token of the vocabulary.
    private static let outputsMax = 64

    private let tokens: [Int32]
    private let options: LlamaMeasurement.Options
    private let context: LlamaContext

    init(_ model: LlamaModel, tokens: [Int32], options: LlamaMeasurement.Options) throws {
        var layout = LlamaContextOptions()
        layout.cells = tokens.count + max(0, options.decodedTokens)
        layout.batch = tokens.count
        layout.microBatch = min(tokens.count, 512)
        layout.outputs = LlamaMeasurementCourse.outputsMax
        layout.threads = max(1, options.threads)
        layout.batchThreads = max(1, options.threads)
        self.tokens = tokens
        self.options = options
        context = try LlamaContext(model: model, options: layout)
    }

    /// What the model expects after each token, and how far that is from the text.
    func foresee() throws -> (perplexity: Double, choices: [Int32]) {
        var choices: [Int32] = []
        var surprise = 0.0
        var start = 0
        while start < tokens.count - 1 {
            let end = min(start + LlamaMeasurementCourse.outputsMax, tokens.count - 1)
            try feed(tokens[start..<end], from: start) { _ in true }
            for place in start..<end {
                let next = try context.logProbabilities(
                    of: tokens[place + 1], at: place - start, likeliest: 1)
                surprise -= Double(next.ofToken)
                choices.append(next.likeliest.first?.token ?? -1)
            }
            start = end
        }
        let perplexity = exp(surprise / Double(choices.count))
        guard perplexity.isFinite else {
            throw ServingError(.internal, "The model's scores are no numbers")
        }
        return (perplexity, choices)
    }

    /// Tokens a second of a prompt and of one sequence.
    func time() throws -> (prefill: Double, decode: Double) {
        let clock = ContinuousClock()
        let begun = clock.now
        context.removeAllCells()
        try LlamaThreadTrial.run(in: context, most: max(1, options.threads))
        var prefill = Duration.seconds(86_400)
        var decode = prefill
        for _ in 0..<max(1, options.rounds) {
            context.removeAllCells()
            let start = clock.now
            try feed(tokens[...], from: 0) { $0 == tokens.count - 1 }
            // The engine may still compute when its call returns; reading what it gives waits.
            var last = context.likeliest(at: tokens.count - 1) ?? 0
            prefill = min(prefill, clock.now - start)
            let between = clock.now
            for step in 0..<max(1, options.decodedTokens) {
                try feed([last], from: tokens.count + step) { _ in true }
                last = context.likeliest(at: 0) ?? 0
            }
            decode = min(decode, clock.now - between)
            if clock.now - begun > options.longest { break }
        }
        return (
            Double(tokens.count) / max(prefill.seconds, 1e-9),
            Double(max(1, options.decodedTokens)) / max(decode.seconds, 1e-9)
        )
    }

    private func feed(
        _ tokens: ArraySlice<Int32>, from position: Int, wantsOutput: (Int) -> Bool
    ) throws {
        var batch = LlamaBatch(capacity: tokens.count)
        for (offset, token) in tokens.enumerated() {
            batch.append(
                token, position: Int32(clamping: position + offset), sequence: 0,
                wantsOutput: wantsOutput(offset))
        }
        guard try context.decode(batch) == .computed else {
            throw ServingError(
                .resourceExhausted, "There is no room for \(tokens.count) tokens to be measured")
        }
    }
}
