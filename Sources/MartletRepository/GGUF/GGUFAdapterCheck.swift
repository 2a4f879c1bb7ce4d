/// Refuses an adapter at which an engine would end the process, when it is loaded or applied.
///
/// Whether it fits its model, an engine finds out by itself.
struct GGUFAdapterCheck {
    /// Types of numbers that adapters are written in; engines multiply with each of them.
    private static let types: Set<String> = ["F32", "F16", "BF16", "Q8_0"]

    private static let first = ".lora_a"
    private static let second = ".lora_b"
    private static let alpha = "adapter.lora.alpha"

    private let parts: GGUFParts

    /// Checks the files of an adapter.
    init(_ parts: GGUFParts) {
        self.parts = parts
    }

    /// Does so.
    ///
    /// - Throws: `GGUFFault` that names the key or the tensor.
    func run() throws {
        let kind = try parts.metadata.text("general.type") ?? ""
        guard kind == "adapter" else {
            throw GGUFFault.unsound("it is of type '\(kind.shown)', not an adapter")
        }
        let method = try parts.metadata.text("adapter.type") ?? ""
        guard method == "lora" else {
            throw GGUFFault.unsound("key 'adapter.type' is '\(method.shown)', not 'lora'")
        }
        guard try parts.metadata.text("general.architecture")?.isEmpty == false else {
            throw GGUFFault.unsound("key 'general.architecture' is missing")
        }
        switch parts.metadata.values[GGUFAdapterCheck.alpha] {
        case nil, .float: break
        case .some(let value):
            throw GGUFFault.unsound(
                "key '\(GGUFAdapterCheck.alpha)' is \(value.kind), not one of 32 bits")
        }
        try checkPairs()
    }

    private func checkPairs() throws {
        var pairs: [String: (first: GGUFTensor?, second: GGUFTensor?)] = [:]
        for tensor in parts.tensors {
            if tensor.name.hasSuffix(GGUFAdapterCheck.first) {
                pairs[base(of: tensor), default: (nil, nil)].first = tensor
            } else if tensor.name.hasSuffix(GGUFAdapterCheck.second) {
                pairs[base(of: tensor), default: (nil, nil)].second = tensor
            } else if !tensor.name.hasSuffix("_norm.weight") {
                throw GGUFFault.unsound(
                    "tensor '\(tensor.name.shown)' ends in neither '\(GGUFAdapterCheck.first)' nor "
                        + "'\(GGUFAdapterCheck.second)'")
            }
        }
        guard !pairs.isEmpty else { throw GGUFFault.unsound("it changes no tensor of a model") }
        for (name, pair) in pairs.sorted(by: { $0.key < $1.key }) {
            guard let first = pair.first, let second = pair.second else {
                throw GGUFFault.unsound("tensor '\(name.shown)' has one half of a pair only")
            }
            try check(first, second, name)
        }
    }

    private func base(of tensor: GGUFTensor) -> String {
        String(tensor.name.dropLast(GGUFAdapterCheck.first.count))
    }

    private func check(_ first: GGUFTensor, _ second: GGUFTensor, _ name: String) throws {
        for tensor in [first, second] {
            guard GGUFAdapterCheck.types.contains(tensor.type.name) else {
                throw GGUFFault.unsound(
                    "tensor '\(tensor.name.shown)' is of \(tensor.type), which is none of "
                        + GGUFAdapterCheck.types.sorted().joined(separator: ", "))
            }
        }
        // Experts have a matrix each; what embeds tokens is looked up by rows.
        let dimensions = name.contains("_exps") ? 3 : 2
        let isEmbedding = name.hasSuffix("token_embd.weight")
        guard first.sizes.count == dimensions, second.sizes.count == dimensions,
            first.sizes[isEmbedding ? 0 : 1] == second.sizes[0],
            dimensions == 2 || first.sizes[2] == second.sizes[2]
        else {
            throw GGUFFault.unsound(
                "the halves of '\(name.shown)', of \(first.sizes) and \(second.sizes) elements, "
                    + "do not fit together")
        }
    }
}
