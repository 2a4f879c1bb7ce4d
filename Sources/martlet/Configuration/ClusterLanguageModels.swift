import MartletConfiguration
import MartletEngines

/// `language_models`: how every node runs language models.
///
/// Its keys are the flags of ``LanguageModelFlags``; a key that is absent leaves the node its
/// default.
struct ClusterLanguageModels: Sendable, Equatable {
    /// The keys.
    static let keys =
        [
            "llama_path", "openvino_genai_path", "kv_cache", "kv_layout", "prompt_share",
            "draft_min_probability", "gpu_layers", "tensor_split", "rpc_devices",
        ] + numbers.map(\.key)

    /// The keys that are whole numbers.
    fileprivate static let numbers: [(key: String, range: ClosedRange<Int>)] = [
        ("context_tokens", LanguageModelFlags.Range.contextTokens),
        ("max_sequences", LanguageModelFlags.Range.maxSequences),
        ("max_waiting_sequences", LanguageModelFlags.Range.maxWaitingSequences),
        ("step_tokens", LanguageModelFlags.Range.stepTokens),
        ("draft_tokens", LanguageModelFlags.Range.draftTokens),
        ("draft_max", LanguageModelFlags.Range.draftMax),
        ("llama_threads", LanguageModelFlags.Range.llamaThreads),
        ("decode_stall_seconds", LanguageModelFlags.Range.decodeStallSeconds),
    ]

    /// Most machines of `rpc_devices`.
    fileprivate static let devicesMax = 64

    /// The flags of `martlet serve` that say the same.
    private(set) var arguments: [String] = []

    /// Adds the flag of a key.
    mutating func set(_ key: String, _ value: String) {
        arguments.append("--\(key.split(separator: "_").joined(separator: "-"))=\(value)")
    }
}

extension ClusterConfigurationReader {
    /// Reads `language_models`; what is wrong is left out of the result.
    mutating func languageModels(_ section: ConfigurationSection) -> ClusterLanguageModels {
        var found = ClusterLanguageModels()
        for key in ["llama_path", "openvino_genai_path"] {
            if let path = section.text(key, "the path of a folder", problems: &problems) {
                found.set(key, self.path(path, section[key]))
            }
        }
        for (key, range) in ClusterLanguageModels.numbers where section[key] != nil {
            let number = section.number(
                key, default: range.lowerBound, in: range, problems: &problems)
            found.set(key, "\(number)")
        }
        let layouts = LlamaEngine.Options.MemoryLayout.allCases.map(\.rawValue)
        let forms: [(key: String, meaning: String, isValid: (String) -> Bool)] = [
            ("kv_cache", "a number of bytes such as 4GiB", { ByteCount(argument: $0) != nil }),
            ("kv_layout", "one of \(layouts.joined(separator: ", "))", layouts.contains),
            ("prompt_share", "a number above 0, up to 1", Self.isShare),
            ("draft_min_probability", "a number from 0 to 1", Self.isProbability),
            ("gpu_layers", "a number of layers, or all", { GPULayers(argument: $0) != nil }),
            ("tensor_split", "numbers such as 3,1", { TensorSplit(argument: $0) != nil }),
        ]
        for (key, meaning, isValid) in forms {
            guard let text = section.text(key, meaning, problems: &problems) else { continue }
            if isValid(text) {
                found.set(key, text)
            } else {
                refuse(section[key], "'\(text)' is not \(meaning)")
            }
        }
        for device in devices(section["rpc_devices"]) { found.set("rpc_device", device) }
        return found
    }

    private static func isShare(_ text: String) -> Bool {
        Double(text).map { $0 > 0 && $0 <= 1 } ?? false
    }

    private static func isProbability(_ text: String) -> Bool {
        Double(text).map { $0 >= 0 && $0 <= 1 } ?? false
    }

    private mutating func devices(_ value: ConfigurationValue?) -> [String] {
        guard let value else { return [] }
        let most = ClusterLanguageModels.devicesMax
        guard let items = value.items, (1...most).contains(items.count) else {
            refuse(value, "expected a list of 1 to \(most) machines such as 10.0.0.7:50052")
            return []
        }
        return items.compactMap { item in
            if let text = item.text, text.contains(":"), !text.contains(" ") { return text }
            refuse(item, "\(item.shown) is no machine; expected a host and a port")
            return nil
        }
    }

    private mutating func refuse(_ value: ConfigurationValue?, _ text: String) {
        problems.add(line: value?.line, value?.keyPath ?? "", text)
    }
}
