import Testing

@testable import MartletRepository

/// A GGUF file with one thing wrong, and what the refusal says.
struct GGUFCorruption: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let complaint: String

    init(_ description: String, _ bytes: [UInt8], _ complaint: String) {
        testDescription = description
        self.bytes = bytes
        self.complaint = complaint
    }

    private init(
        _ description: String, _ complaint: String, _ change: (inout GGUFSample) -> Void
    ) {
        self.init(description, GGUFSample.edited(change).bytes(), complaint)
    }

    static let all = ofTheStart + ofCounts + ofKeys + ofValues + ofTensors + ofPlaces

    private static let cut = "not all in the file"

    private static let ofTheStart = [
        GGUFCorruption("nothing", [], "does not begin with GGUF"),
        GGUFCorruption("three letters", Array("GGU".utf8), "does not begin with GGUF"),
        GGUFCorruption("other letters", "does not begin with GGUF") {
            $0.identifier = Array("GGML".utf8)
        },
        GGUFCorruption("only letters", Array("GGUF".utf8), "the file ends"),
        GGUFCorruption("version 0", "version 0") { $0.version = 0 },
        GGUFCorruption("version 1", "version 1") { $0.version = 1 },
        GGUFCorruption("version 4", "version 4") { $0.version = 4 },
        GGUFCorruption("big-endian", "big-endian") { $0.version = UInt32(3).byteSwapped },
        GGUFCorruption("the largest version", "version 4294967295") { $0.version = .max },
    ]

    private static let ofCounts = [
        GGUFCorruption("2^64 tensors", "18446744073709551615 tensors; the limit") {
            $0.tensorCount = .max
        },
        GGUFCorruption("2^63 tensors", "9223372036854775808 tensors; the limit") {
            $0.tensorCount = 1 << 63
        },
        GGUFCorruption("2^64 keys", "18446744073709551615 keys; the limit") { $0.keyCount = .max },
        GGUFCorruption("more keys than bytes", "65536 keys and 2 tensors are \(cut)") {
            $0.keyCount = 65_536
        },
        GGUFCorruption("more tensors than bytes", "15 keys and 65536 tensors are \(cut)") {
            $0.tensorCount = 65_536
        },
        GGUFCorruption("a key too many", "at byte") { $0.keyCount = 16 },
        GGUFCorruption("a tensor too many", "a tensor's name") { $0.tensorCount = 3 },
        GGUFCorruption("a key too few", "has 8 dimensions") { $0.keyCount = 14 },
    ]

    private static let ofKeys = [
        GGUFCorruption("a key twice", "key 'general.name' is there twice") {
            $0.keys.append(("general.name", .uint8(1)))
        },
        GGUFCorruption("an empty key", "a key has 0 bytes") { $0.keys.append(("", .uint8(1))) },
        GGUFCorruption("a key with a line's end", "a key is no text") {
            $0.keys.append(("a\nb", .uint8(1)))
        },
        GGUFCorruption("a key with a zero", "a key is no text") {
            $0.keys.append(("a\0b", .uint8(1)))
        },
        GGUFCorruption("a key of 65,536 bytes", "a key has 65536 bytes") {
            $0.keys.append((String(repeating: "k", count: 65_536), .uint8(1)))
        },
        GGUFCorruption(
            "a key that is no text",
            raw(GGUFSample.text([0xC3]) + little(UInt32(0)) + [1, 0, 0, 0]), "a key is no text"),
        GGUFCorruption(
            "a key of 2^64 bytes", raw(little(UInt64.max) + Array("abcdefgh".utf8)),
            "a key of 18446744073709551615 bytes is \(cut), at byte 24"),
        GGUFCorruption(
            "a key of 2^63 - 1 bytes", raw(little(UInt64(Int.max)) + Array("abcdefgh".utf8)),
            "a key of 9223372036854775807 bytes is \(cut)"),
    ]

    /// A file of one key, by its bytes.
    private static func raw(_ key: [UInt8]) -> [UInt8] {
        Array("GGUF".utf8) + little(UInt32(3)) + little(UInt64(0)) + little(UInt64(1)) + key
    }

    private static func value(
        _ description: String, _ value: GGUFSample.Value, _ complaint: String
    ) -> GGUFCorruption {
        GGUFCorruption(description, complaint) { $0.set("a.value", value) }
    }

    private static let ofValues = [
        value(
            "a type there is not", .init(type: 13, bytes: [0]),
            "'a.value' is of the unknown type 13"),
        value("a huge type", .init(type: .max, bytes: [0]), "unknown type 4294967295"),
        value("a truth value of 2", .init(type: 7, bytes: [2]), "holds 2, which is no truth value"),
        value("a list with a truth value of 3", .list(of: 7, [.uint8(3)]), "holds 3"),
        value(
            "a text of 2^64 bytes", .init(type: 8, bytes: little(UInt64.max)),
            "the text of key 'a.value' of 18446744073709551615 bytes is \(cut)"),
        value(
            "a text longer than the file", .init(type: 8, bytes: little(UInt64(1 << 30))),
            "the text of key 'a.value' of 1073741824 bytes is \(cut)"),
        value("a list of lists", .list(of: 9, [.texts(["a"])]), "holds lists"),
        value("a list of a type there is not", .list(of: 77, []), "unknown type 77"),
        value(
            "a list of 2^64 elements", .list(of: 0, [], count: .max),
            "18446744073709551615 elements in the list of key 'a.value'"),
        value(
            "a list longer than the file", .list(of: 12, [], count: 4_000_000),
            "has 4000000 elements, which are \(cut)"),
        value(
            "texts beyond the file", .list(of: 8, [.text("a")], count: 1_000_000),
            "has 1000000 elements, which are \(cut)"),
        value(
            "a text in a list beyond the file",
            .list(of: 8, [.init(type: 8, bytes: little(UInt64(1 << 40)))]),
            "a text in the list of key 'a.value' of 1099511627776 bytes is \(cut)"),
    ]

    private static func tensor(
        _ description: String, _ complaint: String,
        _ change: @escaping (inout GGUFSample.Tensor) -> Void
    ) -> GGUFCorruption {
        GGUFCorruption(description, complaint) { change(&$0.tensors[0]) }
    }

    private static let ofTensors = [
        tensor("no name", "name has 0 bytes") { $0.name = [] },
        tensor("a name of 64 bytes", "name has 64 bytes") {
            $0.name = [UInt8](repeating: 97, count: 64)
        },
        tensor("a name that is no text", "name is no text") { $0.name = [0xFF] },
        tensor("a name with a zero", "name is no text") { $0.name = [97, 0] },
        GGUFCorruption("a name twice", "tensor 'output_norm.weight' is there twice") {
            $0.tensors[0].name = $0.tensors[1].name
        },
        tensor("five dimensions", "has 5 dimensions") { $0.sizes = [32, 1, 1, 1, 1] },
        tensor("a dimension of 0", "has a dimension of 0") { $0.sizes = [32, 0] },
        tensor("a dimension of 2^63", "has a dimension of 9223372036854775808") {
            $0.sizes = [1 << 63]
        },
        tensor("sizes that overflow", "more elements than can be counted") {
            $0.sizes = [1 << 32, 1 << 32]
        },
        tensor("sizes that overflow to little", "more elements than can be counted") {
            $0.sizes = [1 << 32, 1 << 31, 2, 1]
        },
        tensor("bytes that overflow", "more bytes than can be counted") {
            $0.type = 28
            $0.sizes = [1 << 60]
        },
        tensor("rows that are no whole blocks", "has rows of 33 elements, no multiple of the 32") {
            $0.sizes = [33]
        },
        tensor("one element of a block", "has rows of 1 elements") { $0.sizes = [] },
        tensor("a type that was taken out", "unknown type 4") { $0.type = 4 },
        tensor("a type of later", "unknown type 43") { $0.type = 43 },
        tensor("a huge type", "unknown type 4294967295") { $0.type = .max },
    ]

    private static func alignment(
        _ description: String, _ value: GGUFSample.Value
    ) -> GGUFCorruption {
        GGUFCorruption(description, "'general.alignment' is no power of two") {
            $0.set("general.alignment", value)
        }
    }

    private static let ofPlaces = [
        tensor("a place off the alignment", "begins at 8, which is no multiple") { $0.offset = 8 },
        tensor("a place at 2^64", "begins at 18446744073709551584, which is no multiple") {
            $0.offset = .max - 31
        },
        tensor("a place beyond the end", "are \(cut), which has") { $0.offset = 1 << 40 },
        tensor("a place whose end overflows", "are \(cut), which has") {
            $0.offset = UInt64(Int.max) - 31
        },
        tensor("data beyond the end", "4096 bytes of tensor") {
            $0.type = 24
            $0.sizes = [4096]
            $0.offset = 96 + 128
        },
        GGUFCorruption("data inside of other data", "begins at 64, inside of tensor 'token_embd") {
            $0.tensors[1].offset = 64
        },
        GGUFCorruption("data at the same place", "inside of tensor") { $0.tensors[1].offset = 0 },
        alignment("an alignment of 0", .uint32(0)),
        alignment("an alignment of 1", .uint32(1)),
        alignment("an alignment of 48", .uint32(48)),
        alignment("an alignment of 2 GiB", .uint32(1 << 31)),
        alignment("an alignment of 64 bits", .uint64(32)),
        alignment("a signed alignment", .int32(32)),
        alignment("an alignment in words", .text("32")),
    ]

    static let limits: [(String, @Sendable (inout GGUFLimits) -> Void, String)] = [
        ("keys", { $0.keys = 14 }, "15 keys; the limit is 14"),
        ("tensors", { $0.tensors = 1 }, "2 tensors; the limit is 1"),
        ("bytes of a key", { $0.keyBytes = 11 }, "1 to 11 are possible"),
        ("elements of a list", { $0.listElements = 3 }, "4 elements in the list of key"),
        ("kept bytes", { $0.keptBytes = 100 }, "have more than 100 bytes"),
        ("bytes of the header", { $0.headerBytes = 200 }, "its header has more than 200 bytes"),
    ]
}
