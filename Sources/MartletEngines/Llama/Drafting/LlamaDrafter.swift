internal import Foundation
import MartletCore

/// A small model that guesses the next tokens of sequences, for a large one to check in one step
/// (speculative decoding: Leviathan et al., "Fast Inference from Transformers via Speculative
/// Decoding", 2023).
///
/// It keeps cells of its own for a few sequences. Each time it is asked, it forgets what turned out
/// otherwise, reads what is new, and guesses the likeliest tokens one by one, while it is sure.
/// Used by the decode loop's thread alone.
final class LlamaDrafter: Sendable {
    private struct Room {
        var places: [DraftPlace]
        var batch: LlamaBatch
        /// Counts the calls.
        var turn = 0
        /// It failed: its guesses are not worth an error.
        var isBroken = false
    }

    /// A wish that is being fulfilled.
    private struct Course {
        let wish: DraftWish
        let place: Int
        /// Where its output is in the last batch; `nil` if it has none.
        var output: Int?
        var guesses: [TokenID] = []
    }

    /// The memory of the draft model.
    let context: LlamaContext

    private let targetVocabulary: Int
    /// The natural logarithm of the least probability.
    private let minLogprob: Float
    // The loop's thread is its only user.
    nonisolated(unsafe) private var room: Room

    /// A drafter that knows no sequence yet.
    ///
    /// - Parameters:
    ///   - context: used by it alone from now on.
    ///   - model: that for which it guesses.
    ///   - minProbability: it stops before a token that it holds for less likely, 0 to 1.
    init(context: LlamaContext, guessesFor model: LlamaModel, minProbability: Double) {
        self.context = context
        targetVocabulary = model.info.vocabularySize
        minLogprob = Float(log(max(0, minProbability)))
        room = Room(
            places: Array(repeating: DraftPlace(), count: context.limits.sequences),
            batch: LlamaBatch(capacity: context.limits.batch))
    }

    /// Guesses; a failure ends all guessing.
    func guess(_ wishes: [DraftWish]) -> DraftRound {
        guard !room.isBroken else { return DraftRound() }
        do {
            return try round(of: wishes)
        } catch {
            room.isBroken = true
            return DraftRound()
        }
    }

    private func round(of wishes: [DraftWish]) throws -> DraftRound {
        room.turn += 1
        var courses: [Course] = []
        for wish in wishes where isPossible(wish) {
            guard let place = room.places.take(for: wish, among: wishes, turn: room.turn) else {
                continue
            }
            courses.append(Course(wish: wish, place: place))
        }
        guard !courses.isEmpty else { return DraftRound() }
        var round = DraftRound()
        round.isCatchingUp = try read(&courses)
        while choose(&courses) { try decode() }
        round.proposals = courses.filter { !$0.guesses.isEmpty }.map {
            DraftProposal(id: $0.wish.id, length: $0.wish.tokens.count, tokens: $0.guesses)
        }
        return round
    }

    private func isPossible(_ wish: DraftWish) -> Bool {
        let vocabulary = context.model.info.vocabularySize
        return wish.limit > 0 && !wish.tokens.isEmpty
            && wish.tokens.count + wish.limit <= context.limits.sequenceCells
            && (vocabulary >= targetVocabulary
                || wish.tokens.allSatisfy { Int($0) < vocabulary })
    }

    // MARK: Reading

    /// Brings the places up to what their sequences have said, as far as one batch goes.
    ///
    /// - Returns: whether that was more than what was said since the last time.
    private func read(_ courses: inout [Course]) throws -> Bool {
        room.batch.removeAll()
        var isCatchingUp = false
        for index in courses.indices {
            let (wish, place) = (courses[index].wish, courses[index].place)
            try forget(place, beyond: wish)
            let known = room.places[place].tokens.count
            let due = wish.tokens.count - known
            isCatchingUp = isCatchingUp || due > wish.limit + 2
            let count = min(due, context.limits.batch - room.batch.count)
            append(wish.tokens[known..<known + count], to: place, wantsOutput: count == due)
            courses[index].output = count == due ? room.batch.count - 1 : nil
        }
        try decode()
        return isCatchingUp
    }

    /// Forgets what a sequence did not say after all; its last token is always read again.
    private func forget(_ place: Int, beyond wish: DraftWish) throws {
        let known = room.places[place].tokens
        let common = zip(known, wish.tokens).prefix { $0 == $1 }.count
        let kept = min(common, wish.tokens.count - 1)
        guard kept < known.count else { return }
        try context.removeCells(of: SlotID(place), from: TokenPosition(clamping: kept))
        room.places[place].tokens.removeLast(known.count - kept)
    }

    private func append(
        _ tokens: ArraySlice<TokenID>, to place: Int, wantsOutput: Bool
    ) {
        for (offset, token) in tokens.enumerated() {
            room.batch.append(
                token, position: TokenPosition(clamping: room.places[place].tokens.count),
                sequence: SlotID(place), wantsOutput: wantsOutput && offset == tokens.count - 1)
            room.places[place].tokens.append(token)
        }
    }

    private func decode() throws {
        guard !room.batch.isEmpty else { return }
        guard case .computed = try context.decode(room.batch) else {
            throw ServingError(.internal, "The draft model has no room")
        }
    }

    // MARK: Guessing

    /// Takes the next guess of each sequence, and fills the batch with those that go on.
    ///
    /// - Returns: whether any does.
    private func choose(_ courses: inout [Course]) -> Bool {
        room.batch.removeAll()
        for index in courses.indices {
            guard let output = courses[index].output else { continue }
            courses[index].output = nil
            guard let token = likeliest(at: output) else { continue }
            courses[index].guesses.append(token)
            guard courses[index].guesses.count < courses[index].wish.limit else { continue }
            append([token], to: courses[index].place, wantsOutput: true)
            courses[index].output = room.batch.count - 1
        }
        return !room.batch.isEmpty
    }

    /// The likeliest token; `nil` if it is not likely enough, ends the text, or means nothing to
    /// the other model.
    private func likeliest(at output: Int) -> TokenID? {
        guard let token = context.likeliest(at: output), Int(token) < targetVocabulary,
            !context.model.ends(token)
        else { return nil }
        guard minLogprob > -.infinity else { return token }
        let logprob = try? context.logProbabilities(of: token, at: output, likeliest: 0).ofToken
        guard let logprob, logprob >= minLogprob else { return nil }
        return token
    }
}

extension LlamaDrafter {
    /// Takes the memory of a draft model.
    ///
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for a draft model that does not suit the model.
    convenience init(
        _ draft: LlamaServable.Draft, guessesFor model: LlamaModel, _ layout: LlamaLayout,
        _ options: LlamaEngine.Options, threads: Int
    ) throws {
        for (model, name) in [(model, "model"), (draft.model, "draft model")] {
            guard model.info.hasDecoder, !model.info.hasEncoder else {
                throw ServingError.invalidArgument(
                    "The \(name) does not generate text: leave out the draft model")
            }
            guard !model.info.isRecurrent else {
                throw ServingError.invalidArgument(
                    "The \(name) is recurrent, and its memory cannot give up a wrong guess: leave "
                        + "out the draft model")
            }
        }
        try LlamaVocabularyMatch.check(draft.model, guessesFor: model)
        let own = LlamaDraftLayout(options, files: draft.files, layout: layout)
        self.init(
            context: try LlamaContext(model: draft.model, options: own.context(threads: threads)),
            guessesFor: model, minProbability: options.draftMinProbability)
    }
}
