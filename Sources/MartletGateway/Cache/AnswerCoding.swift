import MartletTransport

/// Answers as bytes, for caches outside of this process.
///
/// The first byte is the form's number. Numbers are big-endian; texts have their length in front.
/// What was written by another form, or is broken, is no answer.
enum AnswerCoding {
    private static let form: UInt8 = 1
    private static let fieldsMax = 256

    /// Writes an answer.
    ///
    /// - Parameters:
    ///   - answer: the answer.
    ///   - storedAt: seconds since 1970, to tell its age by.
    /// - Returns: the bytes.
    static func encode(_ answer: HTTPResponse, storedAt: Int64) -> [UInt8] {
        var bytes: [UInt8] = [form]
        bytes.append(UInt64(bitPattern: storedAt), count: 8)
        bytes.append(UInt64(clamping: answer.status), count: 2)
        let fields = answer.headers.fields.prefix(fieldsMax)
        bytes.append(UInt64(fields.count), count: 2)
        for field in fields {
            bytes.append(text: field.name)
            bytes.append(text: field.value)
        }
        bytes += answer.body
        return bytes
    }

    /// Reads an answer; `nil` for what is none.
    static func decode(_ bytes: [UInt8]) -> (answer: HTTPResponse, storedAt: Int64)? {
        var rest = bytes[...]
        guard rest.popFirst() == form, let stored = rest.number(8), let status = rest.number(2),
            let count = rest.number(2), count <= fieldsMax
        else { return nil }
        var fields: [(name: String, value: String)] = []
        for _ in 0..<count {
            guard let name = rest.text(), let value = rest.text() else { return nil }
            fields.append((name: name, value: value))
        }
        let answer = HTTPResponse(
            status: Int(status), headers: HeaderFields(fields), body: Array(rest))
        return (answer, Int64(bitPattern: stored))
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ number: UInt64, count: Int) {
        for place in (0..<count).reversed() {
            append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(place))))
        }
    }

    fileprivate mutating func append(text: String) {
        append(UInt64(text.utf8.count), count: 4)
        append(contentsOf: text.utf8)
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func number(_ count: Int) -> UInt64? {
        guard self.count >= count else { return nil }
        defer { self = dropFirst(count) }
        return prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
    }

    fileprivate mutating func text() -> String? {
        guard let length = number(4), length <= UInt64(count) else { return nil }
        defer { self = dropFirst(Int(length)) }
        return String(decoding: prefix(Int(length)), as: UTF8.self)
    }
}
