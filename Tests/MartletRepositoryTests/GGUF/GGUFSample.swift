import Foundation

/// A GGUF file, to be written as sound or as wrong as a test wants it.
struct GGUFSample {
    /// A value of the metadata: its type's number and its bytes.
    struct Value {
        var type: UInt32
        var bytes: [UInt8]

        static func uint8(_ value: UInt8) -> Value { Value(type: 0, bytes: [value]) }
        static func int8(_ value: Int8) -> Value { Value(type: 1, bytes: little(value)) }
        static func uint16(_ value: UInt16) -> Value { Value(type: 2, bytes: little(value)) }
        static func int16(_ value: Int16) -> Value { Value(type: 3, bytes: little(value)) }
        static func uint32(_ value: UInt32) -> Value { Value(type: 4, bytes: little(value)) }
        static func int32(_ value: Int32) -> Value { Value(type: 5, bytes: little(value)) }
        static func float32(_ value: Float) -> Value {
            Value(type: 6, bytes: little(value.bitPattern))
        }
        static func bool(_ value: Bool) -> Value { Value(type: 7, bytes: [value ? 1 : 0]) }
        static func text(_ value: String) -> Value {
            Value(type: 8, bytes: GGUFSample.text(Array(value.utf8)))
        }
        static func uint64(_ value: UInt64) -> Value { Value(type: 10, bytes: little(value)) }
        static func int64(_ value: Int64) -> Value { Value(type: 11, bytes: little(value)) }
        static func float64(_ value: Double) -> Value {
            Value(type: 12, bytes: little(value.bitPattern))
        }

        static func list(of type: UInt32, _ elements: [Value], count: UInt64? = nil) -> Value {
            let count = count ?? UInt64(elements.count)
            return Value(
                type: 9, bytes: little(type) + little(count) + elements.flatMap(\.bytes))
        }

        static func texts(_ texts: [String]) -> Value { list(of: 8, texts.map { .text($0) }) }
    }

    struct Tensor {
        var name: [UInt8]
        var sizes: [UInt64]
        var type: UInt32 = 0
        var offset: UInt64

        init(_ name: String, _ sizes: [UInt64], type: UInt32 = 0, offset: UInt64) {
            self.name = Array(name.utf8)
            self.sizes = sizes
            self.type = type
            self.offset = offset
        }
    }

    var identifier = Array("GGUF".utf8)
    var version: UInt32 = 3
    var keys: [(key: String, value: Value)]
    var tensors: [Tensor]
    var dataBytes: Int
    /// What the header states in place of the true numbers.
    var keyCount: UInt64?
    var tensorCount: UInt64?

    /// A language model of two layers: 8 heads that share 2 of keys and values, of 4 elements.
    static var model: GGUFSample {
        GGUFSample(
            keys: [
                ("general.architecture", .text("llama")),
                ("general.name", .text("Tiny")),
                ("general.file_type", .uint32(3)),
                ("llama.context_length", .uint32(2048)),
                ("llama.embedding_length", .uint32(32)),
                ("llama.block_count", .uint32(2)),
                ("llama.attention.head_count", .uint32(8)),
                ("llama.attention.head_count_kv", .uint32(2)),
                ("llama.rope.freq_base", .float32(10_000)),
                ("tokenizer.ggml.model", .text("gpt2")),
                ("tokenizer.ggml.tokens", .texts(["<s>", "</s>", "a", "b"])),
                (
                    "tokenizer.ggml.token_type",
                    .list(of: 5, [.int32(3), .int32(3), .int32(1), .int32(1)])
                ),
                ("tokenizer.ggml.bos_token_id", .uint32(0)),
                ("tokenizer.ggml.eos_token_id", .uint32(1)),
                ("tokenizer.chat_template", .text("{{ messages }}")),
            ],
            tensors: [
                Tensor("token_embd.weight", [32, 4], type: 3, offset: 0),
                Tensor("output_norm.weight", [32], offset: 96),
            ], dataBytes: 96 + 128)
    }

    /// The model with one change.
    static func edited(_ change: (inout GGUFSample) -> Void) -> GGUFSample {
        var sample = model
        change(&sample)
        return sample
    }

    /// Gives a key another value, or takes it out.
    mutating func set(_ key: String, _ value: Value?) {
        guard let index = keys.firstIndex(where: { $0.key == key }) else {
            if let value { keys.append((key, value)) }
            return
        }
        if let value { keys[index].value = value } else { keys.remove(at: index) }
    }

    /// The file.
    func bytes(alignment: Int = 32) -> [UInt8] {
        var bytes = header
        while !bytes.count.isMultiple(of: alignment) { bytes.append(0) }
        return bytes + [UInt8](repeating: 7, count: dataBytes)
    }

    /// What comes before the tensors' data.
    var header: [UInt8] {
        var bytes = identifier + little(version)
        bytes += little(tensorCount ?? UInt64(tensors.count))
        bytes += little(keyCount ?? UInt64(keys.count))
        for (key, value) in keys {
            bytes += GGUFSample.text(Array(key.utf8)) + little(value.type) + value.bytes
        }
        for tensor in tensors {
            bytes += GGUFSample.text(tensor.name) + little(UInt32(tensor.sizes.count))
            bytes += tensor.sizes.flatMap { little($0) }
            bytes += little(tensor.type) + little(tensor.offset)
        }
        return bytes
    }

    static func text(_ letters: [UInt8]) -> [UInt8] { little(UInt64(letters.count)) + letters }
}

func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
}
