internal import CRapidJSON
import MartletCore

/// A parsed JSON document as a flat list of entries in document order.
///
/// RapidJSON parses it: TensorFlow Serving uses the same library, so offsets, messages and the
/// handling of `NaN` and `Infinity` agree. The tape is valid only inside
/// ``withParsed(_:limits:_:)``.
struct JSONTape {
    /// Position of a value on the tape.
    typealias Index = Int

    private let entries: UnsafeBufferPointer<martlet_json_entry>
    private let strings: UnsafePointer<UInt8>?

    /// The outermost value.
    static let root: Index = 0

    /// Parses `bytes` and hands the tape to `body`.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a syntax error or a limit, with the
    ///   offset; what `body` throws.
    static func withParsed<Result>(
        _ bytes: [UInt8], limits: Limits, _ body: (JSONTape) throws -> Result
    ) throws -> Result {
        guard !bytes.isEmpty else {
            throw ServingError.invalidArgument("JSON Parse error: The document is empty")
        }
        var error = martlet_json_error()
        let parsed = bytes.withUnsafeBytes { raw in
            martlet_json_parse(
                raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count,
                UInt32(clamping: limits.jsonDepth), limits.jsonValues, &error)
        }
        guard let document = parsed else { throw describe(error, limits: limits) }
        defer { martlet_json_free(document) }
        let tape = JSONTape(
            entries: UnsafeBufferPointer(
                start: martlet_json_entries(document), count: martlet_json_entry_count(document)),
            strings: martlet_json_strings(document))
        return try body(tape)
    }

    private static func describe(_ error: martlet_json_error, limits: Limits) -> ServingError {
        let reason =
            switch error.failure {
            case martlet_json_too_deep:
                "nesting is deeper than the limit of \(limits.jsonDepth) levels (--max-json-depth)"
            case martlet_json_too_many_values:
                "more values than the limit of \(limits.jsonValues) (--max-json-values)"
            default: String(cString: error.message)
            }
        return .invalidArgument("JSON Parse error: \(reason) at offset: \(error.offset)")
    }

    // MARK: Values

    private func kind(_ index: Index) -> martlet_json_kind {
        martlet_json_kind(rawValue: entries[index].kind)
    }

    func isArray(_ index: Index) -> Bool { kind(index) == martlet_json_array }
    func isObject(_ index: Index) -> Bool { kind(index) == martlet_json_object }
    func isString(_ index: Index) -> Bool { kind(index) == martlet_json_string }

    func isNumber(_ index: Index) -> Bool {
        let kind = kind(index)
        return kind == martlet_json_int || kind == martlet_json_uint || kind == martlet_json_double
    }

    /// The number of elements of an array or of members of an object.
    func count(_ index: Index) -> Int { Int(entries[index].count) }

    /// The position behind the value, all that it holds included.
    func next(after index: Index) -> Index {
        isArray(index) || isObject(index) ? Int(entries[index].payload) : index + 1
    }

    func bool(_ index: Index) -> Bool? {
        switch kind(index) {
        case martlet_json_true: true
        case martlet_json_false: false
        default: nil
        }
    }

    /// A whole number that fits `Integer`; `nil` for anything else, 1.0 included.
    func integer<Integer: FixedWidthInteger>(_ index: Index, as type: Integer.Type) -> Integer? {
        let payload = entries[index].payload
        return switch kind(index) {
        case martlet_json_int: Integer(exactly: Int64(bitPattern: payload))
        case martlet_json_uint: Integer(exactly: payload)
        default: nil
        }
    }

    /// Any number as a double; `nil` for anything else.
    func double(_ index: Index) -> Double? {
        let payload = entries[index].payload
        return switch kind(index) {
        case martlet_json_int: Double(Int64(bitPattern: payload))
        case martlet_json_uint: Double(payload)
        case martlet_json_double: Double(bitPattern: payload)
        default: nil
        }
    }

    /// The bytes of a string; `nil` for anything else.
    func bytes(_ index: Index) -> [UInt8]? {
        guard isString(index), let strings else { return nil }
        let entry = entries[index]
        return [UInt8](
            UnsafeBufferPointer(start: strings + Int(entry.payload), count: Int(entry.count)))
    }

    /// A string as text; `nil` for anything else.
    func text(_ index: Index) -> String? {
        bytes(index).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Calls `body` with the position of each element of an array.
    func forEachElement(of array: Index, _ body: (Index) throws -> Void) rethrows {
        var element = array + 1
        for _ in 0..<count(array) {
            try body(element)
            element = next(after: element)
        }
    }

    /// Calls `body` with the name and the value's position of each member of an object.
    func forEachMember(of object: Index, _ body: (String, Index) throws -> Void) rethrows {
        var key = object + 1
        for _ in 0..<count(object) {
            try body(text(key) ?? "", key + 1)
            key = next(after: key + 1)
        }
    }

    /// The value of the first member called `name`; `nil` when there is none.
    func member(_ name: String, of object: Index) -> Index? {
        guard isObject(object) else { return nil }
        var key = object + 1
        for _ in 0..<count(object) {
            if text(key) == name { return key + 1 }
            key = next(after: key + 1)
        }
        return nil
    }

    /// The JSON type's name as TensorFlow Serving's messages write it.
    func typeName(_ index: Index) -> String {
        switch kind(index) {
        case martlet_json_null: "Null"
        case martlet_json_false: "False"
        case martlet_json_true: "True"
        case martlet_json_object: "Object"
        case martlet_json_array: "Array"
        case martlet_json_string: "String"
        default: "Number"
        }
    }
}
