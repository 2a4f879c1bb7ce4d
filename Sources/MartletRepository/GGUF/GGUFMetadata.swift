/// The keys and values of a GGUF file.
struct GGUFMetadata {
    /// Fewest bytes of an entry: a length, one letter, a type and one byte.
    static let entryBytesMin = 8 + 1 + 4 + 1

    private(set) var values: [String: GGUFValue] = [:]

    /// Reads so many entries.
    init(_ reader: inout GGUFReader, count: Int) throws {
        // No memory is set aside for a count that the file merely states.
        for _ in 0..<count {
            let start = reader.place
            let key = try GGUFMetadata.key(&reader)
            let value = try GGUFMetadata.value(&reader, of: key)
            guard values.updateValue(value, forKey: key) == nil else {
                throw GGUFFault.unsound("key '\(key.shown)' is there twice", at: start)
            }
        }
    }

    private static func key(_ reader: inout GGUFReader) throws -> String {
        let start = reader.place
        let length = try reader.textLength("a key")
        guard (1...reader.limits.keyBytes).contains(length) else {
            throw GGUFFault.unsound(
                "a key has \(length) bytes; 1 to \(reader.limits.keyBytes) are possible", at: start)
        }
        let bytes = try reader.bytes(length, "a key")
        // Controls would end what C sees of a key, or forge lines of a log.
        guard let key = String(validating: bytes, as: UTF8.self), bytes.allSatisfy({ $0 >= 0x20 })
        else { throw GGUFFault.unsound("a key is no text", at: start) }
        return key
    }

    private static func value(_ reader: inout GGUFReader, of key: String) throws -> GGUFValue {
        let start = reader.place
        let type = try self.type(&reader, of: key)
        switch type {
        case .array: return .list(try list(&reader, of: key))
        case .string: return try text(&reader, of: key)
        case .bool: return .truth(try whole(&reader, .bool, of: key) == 1)
        case .float32: return .float(Double(Float(bitPattern: try reader.number())))
        case .float64: return .double(Double(bitPattern: try reader.number()))
        case .uint64:
            let number = try reader.number(UInt64.self)
            return Int64(exactly: number).map { .integer($0, type) } ?? .huge(number)
        default:
            guard let number = try whole(&reader, type, of: key) else {
                throw GGUFFault.unsound("key '\(key.shown)' has no value", at: start)
            }
            return .integer(number, type)
        }
    }

    private static func type(_ reader: inout GGUFReader, of key: String) throws -> GGUFValueType {
        let start = reader.place
        let number = try reader.number(UInt32.self)
        guard let type = GGUFValueType(rawValue: number) else {
            throw GGUFFault.unsound(
                "key '\(key.shown)' is of the unknown type \(number)", at: start)
        }
        return type
    }

    /// The next whole number of a type; `nil` where it is beyond 63 bits.
    private static func whole(
        _ reader: inout GGUFReader, _ type: GGUFValueType, of key: String
    ) throws -> Int64? {
        switch type {
        case .uint8: return Int64(try reader.number(UInt8.self))
        case .int8: return Int64(try reader.number(Int8.self))
        case .uint16: return Int64(try reader.number(UInt16.self))
        case .int16: return Int64(try reader.number(Int16.self))
        case .uint32: return Int64(try reader.number(UInt32.self))
        case .int32: return Int64(try reader.number(Int32.self))
        case .int64: return try reader.number(Int64.self)
        case .uint64: return Int64(exactly: try reader.number(UInt64.self))
        case .bool:
            let start = reader.place
            let byte = try reader.number(UInt8.self)
            guard byte < 2 else {
                throw GGUFFault.unsound(
                    "key '\(key.shown)' holds \(byte), which is no truth value", at: start)
            }
            return Int64(byte)
        case .float32, .float64, .string, .array: return nil
        }
    }

    private static func text(_ reader: inout GGUFReader, of key: String) throws -> GGUFValue {
        let what = "the text of key '\(key.shown)'"
        let length = try reader.textLength(what)
        guard length <= reader.limits.textBytes else {
            try reader.skip(length, what)
            return .bytes(count: length, isTooLong: true)
        }
        let bytes = try reader.bytes(length, what)
        let text = String(validating: bytes, as: UTF8.self)
        return text.map { .text($0) } ?? .bytes(count: length, isTooLong: false)
    }

    private static func list(_ reader: inout GGUFReader, of key: String) throws -> GGUFList {
        let start = reader.place
        let type = try self.type(&reader, of: key)
        let what = "the list of key '\(key.shown)'"
        guard type != .array else { throw GGUFFault.unsound("\(what) holds lists", at: start) }
        let count = try reader.count("elements in \(what)", limit: reader.limits.listElements)
        let smallest = type.byteCount ?? 8
        guard count <= reader.remaining / smallest else {
            throw GGUFFault.cutOff(
                "\(what) has \(count) elements, which are not all in the file", at: start)
        }
        let place = reader.place
        var integers: [Int64]?
        if type == .string, key == GGUFVocabulary.tokens {
            try checkTokens(&reader, count: count, what)
        } else if type == .string {
            for _ in 0..<count { try reader.skip(try reader.textLength("a text in \(what)"), what) }
        } else if type.isWhole, count <= reader.limits.keptElements {
            try reader.keep(count * MemoryLayout<Int64>.size)
            integers = try (0..<count).map { _ in try whole(&reader, type, of: key) ?? .max }
        } else {
            try reader.skip(count * smallest, what)
        }
        return GGUFList(type: type, count: count, integers: integers, place: place)
    }

    /// Passes over the texts of all tokens, of which no two may be alike.
    ///
    /// llama.cpp ends the process at those. It gives empty ones texts of its own.
    private static func checkTokens(
        _ reader: inout GGUFReader, count: Int, _ what: String
    ) throws {
        // Hashes stand for the texts: of files with a million tokens one in ten million is taken
        // for unsound by chance.
        try reader.keep(count * MemoryLayout<Int>.size)
        var hashes: Set<Int> = []
        for number in 0..<count {
            let start = reader.place
            let length = try reader.textLength("a text in \(what)")
            guard let hash = try reader.textHash(length, what) else { continue }
            guard hashes.insert(hash).inserted else {
                throw GGUFFault.unsound(
                    "token \(number) in \(what) has the text of one before it", at: start)
            }
        }
    }
}

extension GGUFMetadata {
    /// A text; `nil` without the key.
    func text(_ key: String) throws -> String? {
        switch values[key] {
        case nil: return nil
        case .text(let text): return text
        case .some(let value):
            throw GGUFFault.unsound("key '\(key.shown)' is \(value.kind), not text")
        }
    }

    /// A whole number from 0 on that `limit` bounds; `nil` without the key.
    func count(_ key: String, limit: Int = Int(UInt32.max)) throws -> Int? {
        guard let value = values[key] else { return nil }
        guard case .integer(let number, _) = value else {
            throw GGUFFault.unsound("key '\(key.shown)' is \(value.kind), not a whole number")
        }
        guard number >= 0, number <= limit else {
            throw GGUFFault.unsound("key '\(key.shown)' is \(number); 0 to \(limit) are possible")
        }
        return Int(number)
    }

    /// A number for each of `count` layers, whether one is written for all or a list; `nil`
    /// without the key.
    func counts(_ key: String, for count: Int, limit: Int) throws -> [Int]? {
        guard case .list(let list) = values[key] else {
            return try self.count(key, limit: limit).map { Array(repeating: $0, count: count) }
        }
        guard list.count == count, let integers = list.integers else {
            throw GGUFFault.unsound(
                "key '\(key.shown)' has \(list.count) numbers for \(count) layers")
        }
        return try integers.map { number in
            guard number >= 0, number <= limit else {
                throw GGUFFault.unsound(
                    "key '\(key.shown)' holds \(number); 0 to \(limit) are possible")
            }
            return Int(number)
        }
    }

    /// A list; `nil` without the key.
    func list(_ key: String) throws -> GGUFList? {
        guard let value = values[key] else { return nil }
        guard case .list(let list) = value else {
            throw GGUFFault.unsound("key '\(key.shown)' is \(value.kind), not a list")
        }
        return list
    }
}
