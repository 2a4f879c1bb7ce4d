import MartletCore
import MartletEngines

/// What the tests of llama.cpp share: the library and SmolLM2-135M-Instruct, each opened once.
enum LlamaFixture {
    static let library = Result {
        do {
            return try LlamaLibrary(
                directory: SetUp.folder(LlamaLibrary.pathVariable, ".engines/llama"))
        } catch {
            throw MissingSetUp("\(error)")
        }
    }

    static let path =
        SetUp.folder("MARTLET_LLM_MODELS", ".models")
        + "/smollm2-135m/1/SmolLM2-135M-Instruct.Q4_0.gguf"

    static let model = Result {
        let opened = try library.get()
        do {
            return try LlamaModel(library: opened, path: path)
        } catch {
            throw MissingSetUp("\(error)")
        }
    }

    static func context(
        _ change: (inout LlamaContextOptions) -> Void = { _ in }
    ) throws -> LlamaContext {
        var options = LlamaContextOptions()
        options.cells = 1024
        options.batch = 256
        options.microBatch = 256
        options.sequences = 4
        change(&options)
        return try LlamaContext(model: try model.get(), options: options)
    }

    static func tokens(_ text: String) throws -> [Int32] {
        try model.get().tokenize(text, addsSpecial: false, readsSpecial: true)
    }

    static func text(_ tokens: [Int32]) throws -> String {
        String(decoding: try model.get().detokenize(tokens), as: UTF8.self)
    }
}

extension LlamaContext {
    /// Decodes tokens of one sequence and gives the place of the last one's output.
    func feed(_ tokens: [Int32], from position: Int32 = 0, sequence: Int32 = 0) throws -> Int {
        var batch = LlamaBatch(capacity: tokens.count)
        for (offset, token) in tokens.enumerated() {
            batch.append(
                token, position: position + Int32(offset), sequence: sequence,
                wantsOutput: offset == tokens.count - 1)
        }
        guard try decode(batch) == .computed else {
            throw ServingError(.resourceExhausted, "no room")
        }
        return tokens.count - 1
    }

    /// The tokens that follow a prompt, each the likeliest.
    func likeliestTokens(after prompt: [Int32], count: Int, sequence: Int32 = 0) throws -> [Int32] {
        var tokens: [Int32] = []
        var output = try feed(prompt, sequence: sequence)
        while tokens.count < count, let token = likeliest(at: output), !model.ends(token) {
            tokens.append(token)
            output = try feed(
                [token], from: Int32(prompt.count + tokens.count - 1), sequence: sequence)
        }
        return tokens
    }

    /// The tokens that a sampler lets follow a prompt, up to the end it chooses.
    func tokens(
        after prompt: [Int32], by sampler: LlamaSampler, atMost count: Int
    ) throws -> [Int32] {
        var tokens: [Int32] = []
        var output = try feed(prompt)
        while tokens.count < count {
            let token = try sampler.sample(self, at: output)
            try sampler.accept(token)
            if model.ends(token) { break }
            tokens.append(token)
            output = try feed([token], from: Int32(prompt.count + tokens.count - 1))
        }
        return tokens
    }
}
