internal import CLlama
import MartletCore

/// Chooses the tokens of one sequence, and remembers what penalties and a grammar need.
///
/// With a grammar, a token is chosen as if there were none, and the grammar is asked about it
/// alone. If it is refused, the others are asked about in the order of their scores at temperature 0, so
/// that the likeliest of those allowed is chosen; else in an order that is drawn, in which each of
/// those allowed comes first with the probability that it has among them. Steps that keep only some
/// tokens, such as top p, keep them of all tokens; where the grammar allows none of these, of those
/// that it allows. Mirostat always chooses among those that it allows.
///
/// Used by one thread at a time, with the context it samples from.
public final class LlamaSampler: Sendable {
    private let model: LlamaModel
    // Its sequence's thread is its only caller; freed in deinit.
    nonisolated(unsafe) private let pointer: OpaquePointer

    /// Creates a sampler.
    ///
    /// - Parameters:
    ///   - model: whose tokens they are.
    ///   - options: how tokens are chosen.
    ///   - chat: whose grammar the text follows, if `options` names none.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for numbers out of range, unknown tokens, and
    ///   a grammar that is too large, too deep or wrong.
    public convenience init(
        model: LlamaModel, options: LlamaSamplerOptions, chat: LlamaChat? = nil
    ) throws {
        let library = model.library
        let pointer = try options.withParameters(library.api.sampler_defaults()) { parameters in
            parameters.chat = chat?.pointer
            return try library.object("make a sampler") { sampler, error in
                library.api.sampler_create(model.pointer, &parameters, sampler, error)
            }
        }
        withExtendedLifetime(chat) {}
        self.init(model: model, pointer: pointer)
    }

    private init(model: LlamaModel, pointer: OpaquePointer) {
        self.model = model
        self.pointer = pointer
    }

    deinit { model.library.api.sampler_free(pointer) }

    /// Chooses the token that follows an output of the last batch, and does not take it in.
    ///
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` without such an output, `INTERNAL` if the
    ///   grammar allows no token.
    public func sample(_ context: LlamaContext, at index: Int) throws -> Int32 {
        var token: Int32 = -1
        try model.library.check("sample output \(index)") {
            model.library.api.sampler_sample(pointer, context.pointer, max(0, index), &token, $0)
        }
        return token
    }

    /// Takes in a token that the sequence got.
    ///
    /// - Parameters:
    ///   - token: which one.
    ///   - isGenerated: `false` for the prompt's, which penalties look at and grammars do not.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for a token that the grammar does not allow,
    ///   `INTERNAL` if the text has left a grammar that was set off by it.
    public func accept(_ token: Int32, isGenerated: Bool = true) throws {
        try model.library.check("accept token \(token)") {
            model.library.api.sampler_accept(pointer, token, isGenerated, $0)
        }
    }

    /// Forgets all tokens.
    public func reset() throws {
        try model.library.check("reset a sampler") {
            model.library.api.sampler_reset(pointer, $0)
        }
    }

    /// How often the grammar was asked about the whole vocabulary, which takes milliseconds.
    public var wholePasses: Int { Int(clamping: model.library.api.sampler_whole_passes(pointer)) }

    /// Another sampler in the same state, with the same chance before it.
    public func copy() throws -> LlamaSampler {
        let copy = try model.library.object("copy a sampler") {
            model.library.api.sampler_clone(pointer, $0, $1)
        }
        return LlamaSampler(model: model, pointer: copy)
    }
}
