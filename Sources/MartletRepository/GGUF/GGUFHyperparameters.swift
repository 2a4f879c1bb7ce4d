import MartletCore

/// The sizes of a language model, under keys that begin with its architecture.
///
/// The bounds are those at which llama.cpp asserts, which would end the process, so that what
/// breaks them is refused here.
struct GGUFHyperparameters {
    /// Most elements of one token's state, heads or parts of a head.
    static let sizeMax = 1 << 24

    /// The ways to pool vectors have numbers from 0, for none, to this one, for ranking.
    static let poolingRank = 4

    private static let ropeScalings: Set<String> = ["none", "linear", "yarn", "longrope"]

    let contextLength: Int
    let embeddingLength: Int
    let layerCount: Int
    /// By layer; 0 for a layer without attention.
    let headCounts: [Int]
    let keyValueHeadCounts: [Int]
    /// Elements of a head's key, and of its value.
    let keyLength: Int
    let valueLength: Int
    /// Whether the model makes vectors of texts: it pools outputs, each token sees those behind it,
    /// or it is of a kind that does nothing else.
    let embeds: Bool
    /// Whether it makes numbers for ranking of its vectors.
    let ranks: Bool

    /// Reads the sizes of a model.
    ///
    /// - Throws: `GGUFFault` that names the key.
    init(_ metadata: GGUFMetadata, architecture: String, limits: GGUFLimits) throws {
        let keys = GGUFKeys(metadata: metadata, architecture: architecture)
        let size = GGUFHyperparameters.sizeMax
        contextLength = try keys.needed("context_length", limit: Int(Int32.max))
        embeddingLength = try keys.needed("embedding_length", limit: size)
        layerCount = try keys.needed("block_count", limit: limits.layers)
        headCounts =
            try keys.counts("attention.head_count", layers: layerCount)
            ?? Array(repeating: 0, count: layerCount)
        keyValueHeadCounts =
            try keys.counts("attention.head_count_kv", layers: layerCount) ?? headCounts
        let heads = headCounts.first ?? 0
        let share = heads > 0 ? embeddingLength / heads : 0
        keyLength = try keys.count("attention.key_length", limit: size) ?? share
        valueLength = try keys.count("attention.value_length", limit: size) ?? share
        let pooling = try keys.count("pooling_type", limit: GGUFHyperparameters.poolingRank) ?? 0
        ranks = pooling == GGUFHyperparameters.poolingRank
        embeds =
            pooling > 0 || keys.isFalse("attention.causal")
            || GGUFArchitecture.encoders.contains(architecture)
        _ = try keys.count("nextn_predict_layers", limit: layerCount)
        try GGUFHyperparameters.checkExperts(keys, layers: layerCount, limits: limits)
        let scaling = try metadata.text("\(architecture).rope.scaling.type") ?? "linear"
        guard GGUFHyperparameters.ropeScalings.contains(scaling) else {
            throw GGUFFault.unsound(
                "key '\(architecture.shown).rope.scaling.type' is '\(scaling.shown)', which is "
                    + "none of " + GGUFHyperparameters.ropeScalings.sorted().joined(separator: ", ")
            )
        }
    }

    /// Bytes that the keys and values of one token take in half precision; a number that cannot be
    /// counted is the largest.
    ///
    /// It is what all layers take that see all tokens: engines need less for layers that look back
    /// a short way only.
    var keyValueBytesPerToken: Int {
        keyValueHeadCounts.map { heads in
            let (bytes, overflows) = heads.multipliedReportingOverflow(
                by: 2 * (keyLength + valueLength))
            return overflows ? .max : bytes
        }.saturatingSum
    }

    private static func checkExperts(
        _ keys: GGUFKeys, layers: Int, limits: GGUFLimits
    ) throws {
        let experts = try keys.count("expert_count", limit: limits.experts) ?? 0
        let used = try keys.counts("expert_used_count", layers: layers)?.max() ?? 0
        let groups = try keys.count("expert_group_count") ?? 0
        let usedGroups = try keys.count("expert_group_used_count") ?? 0
        // Models of this family write 1 where they mean none.
        if keys.architecture.hasPrefix("hunyuan"), experts <= 1 { return }
        guard experts > 0 ? (1...experts).contains(used) && groups < experts : used + groups == 0
        else {
            throw GGUFFault.unsound(
                "\(experts) experts of which \(used) are used, in \(groups) groups, cannot be")
        }
        guard groups <= 1 || experts.isMultiple(of: groups) && (1..<groups).contains(usedGroups)
        else {
            throw GGUFFault.unsound(
                "\(groups) groups of experts of which \(usedGroups) are used cannot be")
        }
    }
}

/// The keys that belong to an architecture.
private struct GGUFKeys {
    let metadata: GGUFMetadata
    let architecture: String

    func count(_ key: String, limit: Int = Int(UInt32.max)) throws -> Int? {
        try metadata.count("\(architecture).\(key)", limit: limit)
    }

    func counts(_ key: String, layers: Int) throws -> [Int]? {
        try metadata.counts(
            "\(architecture).\(key)", for: layers, limit: GGUFHyperparameters.sizeMax)
    }

    func isFalse(_ key: String) -> Bool {
        guard case .truth(false) = metadata.values["\(architecture).\(key)"] else { return false }
        return true
    }

    /// A number that has to be there and to be more than nothing.
    func needed(_ key: String, limit: Int) throws -> Int {
        guard let count = try count(key, limit: limit), count > 0 else {
            throw GGUFFault.unsound("key '\(architecture.shown).\(key)' is missing or 0")
        }
        return count
    }
}
