import MartletCore

/// How a ranking model's file wants a query and a document to be shown to it.
///
/// What lies between two control tokens is cut into tokens as one text, as the model was trained
/// with; but only the template's own control tokens are ones, and not what a client writes.
struct LlamaRerankPrompt: Sendable, Equatable {
    /// What a prompt is made of.
    enum Piece: Sendable, Equatable {
        case text(String)
        case tokens([TokenID])
        case query
        case document
    }

    /// The places of queries and documents that a template may have.
    private static let placesMax = 16

    /// What follows what.
    let pieces: [Piece]

    /// Reads a template, whose places are written `{query}` and `{document}`.
    ///
    /// - Parameters:
    ///   - template: the text.
    ///   - split: takes the control tokens of a text out of it.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a template that lacks one of both, or has
    ///   too many.
    init(_ template: String, split: (String) throws -> [Piece]) throws {
        var pieces: [Piece] = []
        var places = 0
        var rest = template[...]
        while let brace = rest.firstIndex(of: "{") {
            let place: Piece? =
                rest[brace...].hasPrefix("{query}")
                ? .query : rest[brace...].hasPrefix("{document}") ? .document : nil
            guard let place else {
                let next = rest.index(after: brace)
                pieces.appendText(String(rest[..<next]))
                rest = rest[next...]
                continue
            }
            places += 1
            pieces.appendText(String(rest[..<brace]))
            pieces.append(place)
            let length = place == .query ? "{query}".count : "{document}".count
            rest = rest[brace...].dropFirst(length)
        }
        pieces.appendText(String(rest))
        guard pieces.contains(.query), pieces.contains(.document),
            places <= LlamaRerankPrompt.placesMax
        else {
            throw ServingError.invalidArgument(
                "The model's template 'rerank' has \(places) places; it needs {query} and "
                    + "{document}, and at most \(LlamaRerankPrompt.placesMax) of them")
        }
        self.pieces = try pieces.flatMap { piece in
            guard case .text(let text) = piece else { return [piece] }
            return try split(text)
        }
    }

    /// The tokens of a query and a document.
    ///
    /// - Parameters:
    ///   - query: the query.
    ///   - document: the document.
    ///   - tokenize: cuts a text into tokens, none of which is a control token.
    /// - Returns: the tokens, in order.
    func tokens(
        query: String, document: String, tokenize: (String) throws -> [TokenID]
    ) rethrows -> [TokenID] {
        var tokens: [TokenID] = []
        var text = ""
        for piece in pieces {
            switch piece {
            case .text(let more): text += more
            case .query: text += query
            case .document: text += document
            case .tokens(let special):
                if !text.isEmpty { tokens += try tokenize(text) }
                tokens += special
                text = ""
            }
        }
        if !text.isEmpty { tokens += try tokenize(text) }
        return tokens
    }
}

extension [LlamaRerankPrompt.Piece] {
    /// Adds a text, to the one before if there is one.
    fileprivate mutating func appendText(_ text: String) {
        guard !text.isEmpty else { return }
        if case .text(let before) = last {
            self[count - 1] = .text(before + text)
        } else {
            append(.text(text))
        }
    }
}

extension LlamaRerankPrompt {
    /// The template of a model's file; `nil` without one.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for one that is none.
    init?(of model: LlamaModel) throws {
        guard let template = model.metadata("tokenizer.chat_template.rerank") else { return nil }
        try self.init(template) { text in
            let tokens = try model.tokenize(text, addsSpecial: false, readsSpecial: true)
            guard let first = tokens.firstIndex(where: model.isControl),
                let last = tokens.lastIndex(where: model.isControl)
            else { return [.text(text)] }
            func written(_ part: ArraySlice<TokenID>) throws -> String {
                String(decoding: try model.detokenize(Array(part)), as: UTF8.self)
            }
            let before = try written(tokens[..<first])
            let after = try written(tokens[(last + 1)...])
            // A vocabulary that does not give a text back as it was: its ends are tokens, too.
            guard text.hasPrefix(before), text.hasSuffix(after) else { return [.tokens(tokens)] }
            return [.text(before), .tokens(Array(tokens[first...last])), .text(after)]
        }
    }
}
