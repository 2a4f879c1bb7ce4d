/// Reads the blocks of the prompt out of a request by OpenAI's API.
///
/// Nothing is decoded: a text counts by the bytes it is written with, escapes and all. A client
/// writes the same text alike each time, and where two do not, a cache hit is lost and no more. What
/// an engine's template adds to the messages it adds in the order of the messages, so equal
/// beginnings here are equal beginnings there.
struct PromptReader: Sendable {
    /// Bytes of a body that are waited for; the prompts of longer ones are not read.
    static let bodyBytesMax = 4 << 20

    private let configuration: PrefixConfiguration
    private let secret: UInt64

    /// A reader whose hashes nobody can foresee who does not know `secret`.
    init(configuration: PrefixConfiguration, secret: UInt64) {
        self.configuration = configuration
        self.secret = secret
    }

    /// Whether a request may have a prompt: a POST to an address that ends in `/completions`, be it
    /// of chats or not, in `/responses`, or in `/messages`.
    static func mayHavePrompt(method: String, path: String) -> Bool {
        guard method == "POST" else { return false }
        let path = path.prefix { $0 != "?" }
        return ["/completions", "/responses", "/messages"].contains { path.hasSuffix($0) }
    }

    /// Reads the blocks of a body's prompt.
    ///
    /// - Parameters:
    ///   - body: the whole body.
    ///   - tenant: who asks, where each has caches of its own.
    ///   - isAdapter: whether what the body names as its model is an adapter of one.
    /// - Returns: the blocks; nil for what is no such request.
    func blocks(
        inBody body: [UInt8], tenant: String? = nil,
        isAdapter: (_ model: String) -> Bool = { _ in false }
    ) -> PromptBlocks? {
        var members = PromptMembers(
            body, textMax: configuration.blockBytes * configuration.blocksMax)
        guard members.read(), let texts = members.texts else { return nil }
        var seed = SeededHash(seed: secret)
        seed.combine(Array((tenant ?? "").utf8))
        for member in PromptMembers.Seed.allCases {
            let bytes = members.seeds[member].map { Array(body[$0]) }
            seed.combine(bytes == nil ? 0 : 1)
            if let bytes { seed.combine(bytes) }
        }
        var hasher = BlockHasher(
            seed: seed, blockBytes: configuration.blockBytes,
            blocksMax: configuration.blocksMax)
        for text in texts where !hasher.isFull {
            hasher.append(body[text])
            // Marks the end of a text, since JSON has no such byte in one.
            hasher.append(0)
        }
        return PromptBlocks(
            hashes: hasher.hashes, adapterKey: adapterKey(members, body, isAdapter),
            sessionKey: members.session.map { sessionKey(body[$0], tenant: tenant) },
            textBytes: hasher.bytes)
    }

    /// The number that a tenant's requests of the same `prompt_cache_key` share.
    private func sessionKey(_ name: ArraySlice<UInt8>, tenant: String?) -> UInt64 {
        var key = SeededHash(seed: secret)
        key.combine(Array((tenant ?? "").utf8))
        key.combine(Array(name))
        return key.value
    }

    /// The number of an adapter of a model, which is named beside the model or in its place.
    private func adapterKey(
        _ members: PromptMembers, _ body: [UInt8], _ isAdapter: (String) -> Bool
    ) -> UInt64? {
        guard let adapter = members.adapter else {
            guard let place = members.seeds[.model],
                let name = CompletionRequest.plainText(body[place]), isAdapter(name)
            else { return nil }
            var key = SeededHash(seed: secret)
            key.combine(Array(body[place]))
            return key.value
        }
        var key = SeededHash(seed: secret)
        key.combine(Array(body[members.seeds[.model] ?? 0..<0]))
        key.combine(Array(body[adapter]))
        return key.value
    }
}

/// Where in a body the members are that make a prompt.
private struct PromptMembers {
    /// Members that a cache of prefixes is divided by.
    ///
    /// Tools are among them because templates put them before all messages, wherever they are in the
    /// body; and what is before the messages decides on all that follows.
    enum Seed: String, CaseIterable {
        case model, adapter, lora, tools, functions, system, instructions
        case salt = "cache_salt"
    }

    /// The values of those that are there, as written.
    private(set) var seeds: [Seed: Range<Int>] = [:]
    /// What the client calls requests whose prompts begin alike (`prompt_cache_key`), as written.
    private(set) var session: Range<Int>?
    /// The prompt's texts in order; nil where there is no prompt.
    private(set) var texts: [Range<Int>]?

    private let body: [UInt8]
    private let textMax: Int
    private var walk: JSONWalk
    private var textBytes = 0

    /// Deepest nesting: as deep as a tool's schema may well be.
    private static let depthMax = 64

    init(_ body: [UInt8], textMax: Int) {
        self.body = body
        self.textMax = textMax
        walk = JSONWalk(body, depthMax: Self.depthMax)
    }

    /// The adapter that is asked for.
    var adapter: Range<Int>? { seeds[.adapter] ?? seeds[.lora] }

    /// Reads the whole; false if it is no JSON object, or too deep.
    mutating func read() -> Bool {
        guard case .open(true, _)? = walk.next() else { return false }
        while let event = walk.next() {
            switch event {
            case .name(let name):
                guard readMember(body[name.range].dropFirst().dropLast()) else { return false }
            case .close: continue
            case .end: return true
            case .open, .scalar: return false
            }
        }
        return false
    }

    /// Reads the value of a member by this name.
    private mutating func readMember(_ name: ArraySlice<UInt8>) -> Bool {
        guard let event = walk.next() else { return false }
        if name.elementsEqual("messages".utf8) || name.elementsEqual("input".utf8) {
            return readTexts(event, isWhole: true)
        }
        if name.elementsEqual("prompt".utf8) { return readTexts(event, isWhole: false) }
        let start: Int
        switch event {
        case .open(_, let place): start = place
        case .scalar(let token): start = token.range.lowerBound
        case .close, .name, .end: return false
        }
        guard let end = walk.skip(event) else { return false }
        // A member that is null is not there.
        let value = body[start..<end].elementsEqual("null".utf8) ? nil : start..<end
        if let seed = Seed(rawValue: String(decoding: name, as: UTF8.self)) {
            seeds[seed] = value
        } else if name.elementsEqual("prompt_cache_key".utf8) {
            session = value
        }
        return true
    }

    /// Reads a prompt: a text, or a list that has texts, or the numbers of tokens, at any depth.
    ///
    /// - Parameters:
    ///   - event: its begin.
    ///   - isWhole: whether all texts are one prompt, as messages are; else each text, or each list of
    ///     tokens, is a prompt of its own, and the first counts.
    /// - Returns: false if it is no JSON, or too deep.
    private mutating func readTexts(_ event: JSONWalk.Event, isWhole: Bool) -> Bool {
        // Of a member that is there twice the last counts, as to most readers.
        (texts, textBytes) = ([], 0)
        var isOver = false
        guard case .open = event else {
            if case .scalar(let token) = event { take(token, isWhole: isWhole) }
            return true
        }
        let outer = walk.depth - 1
        while let event = walk.next() {
            switch event {
            case .close:
                if walk.depth == outer { return true }
                if !isWhole, textBytes > 0 { isOver = true }
            case .scalar(let token) where !isOver:
                isOver = take(token, isWhole: isWhole)
            case .open, .name, .scalar: continue
            case .end: return false
            }
        }
        return false
    }

    /// Takes a text or a number; answers whether the prompt is over with it.
    @discardableResult
    private mutating func take(_ token: JSONScanner.Token, isWhole: Bool) -> Bool {
        let isText = body[token.range.lowerBound] == UInt8(ascii: "\"")
        guard isText || !isWhole, textBytes < textMax else { return textBytes >= textMax }
        let range =
            isText ? token.range.lowerBound + 1..<token.range.upperBound - 1 : token.range
        texts?.append(range)
        // A byte for the mark at its end, so that empty texts count too and their list is bounded.
        textBytes += range.count + 1
        return isText && !isWhole
    }
}
