import MartletCore

/// What is known of kinds of network that do not go on with a text token by token.
enum GGUFArchitecture {
    /// Makes vectors of texts, whether or not the file says how they are pooled.
    static let encoders: Set<String> = [
        "bert", "eurobert", "gemma-embedding", "jina-bert-v2", "jina-bert-v3", "llama-embed",
        "modern-bert", "neo-bert", "nomic-bert", "nomic-bert-moe", "t5encoder",
    ]

    /// What a network is that nodes have no use for; its engine would end the process for some.
    static let unserved: [String: String] = [
        "t5": "an encoder with a decoder",
        "eagle3": "a draft for another model",
        "dflash": "a draft for another model",
        "gemma4-assistant": "a draft for another model",
        "dream": "a diffusion model",
        "llada": "a diffusion model",
        "llada-moe": "a diffusion model",
        "rnd1": "a diffusion model",
        "wavtokenizer-dec": "a decoder of sound",
    ]
}

extension GGUFDescription {
    /// Refuses a model that is whole, but of a kind that no node serves.
    ///
    /// - Throws: `ServingError` (`UNIMPLEMENTED`) that says which kind.
    public func requireServable() throws {
        guard let kind = GGUFArchitecture.unserved[architecture] else { return }
        throw ServingError(
            .unimplemented,
            "\(files.first ?? "The model") is of architecture '\(architecture.shown)', \(kind); "
                + "nodes serve models that go on with a text, make vectors of texts or rank them")
    }
}
