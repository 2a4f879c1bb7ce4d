import MartletTransport

/// Answers as bytes, for caches outside of this process.
///
/// The first byte is the form's number: form 2 is form 1 with trailers, those of a gRPC answer,
/// behind the header fields. Numbers are big-endian; texts have their length in front. What was
/// written by another form, or is broken, is no answer.
enum AnswerCoding {
    private static let form: UInt8 = 1
    private static let formWithTrailers: UInt8 = 2
    private static let fieldsMax = 256

    /// Writes an answer.
    ///
    /// - Parameters:
    ///   - answer: the answer.
    ///   - storedAt: seconds since 1970, to tell its age by.
    /// - Returns: the bytes.
    static func encode(_ answer: HTTPResponse, storedAt: Int64) -> [UInt8] {
        var bytes: [UInt8] = [answer.trailers == nil ? form : formWithTrailers]
        bytes.append(UInt64(bitPattern: storedAt), count: 8)
        bytes.append(UInt64(clamping: answer.status), count: 2)
        bytes.append(fields: answer.headers.fields.prefix(fieldsMax))
        if let trailers = answer.trailers {
            bytes.append(fields: trailers.fields.prefix(fieldsMax))
        }
        bytes += answer.body
        return bytes
    }

    /// Reads an answer; `nil` for what is none.
    static func decode(_ bytes: [UInt8]) -> (answer: HTTPResponse, storedAt: Int64)? {
        var rest = bytes[...]
        let form = rest.popFirst()
        guard form == self.form || form == formWithTrailers, let stored = rest.number(8),
            let status = rest.number(2), let headers = rest.fields(max: fieldsMax)
        else { return nil }
        var answer = HTTPResponse(status: Int(status), headers: headers)
        if form == formWithTrailers {
            guard let trailers = rest.fields(max: fieldsMax) else { return nil }
            answer.trailers = trailers
        }
        answer.body = Array(rest)
        return (answer, Int64(bitPattern: stored))
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ number: UInt64, count: Int) {
        for place in (0..<count).reversed() {
            append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(place))))
        }
    }

    fileprivate mutating func append(fields: ArraySlice<(name: String, value: String)>) {
        append(UInt64(fields.count), count: 2)
        for field in fields {
            append(text: field.name)
            append(text: field.value)
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

    fileprivate mutating func fields(max: Int) -> HeaderFields? {
        guard let count = number(2), count <= max else { return nil }
        var fields: [(name: String, value: String)] = []
        for _ in 0..<count {
            guard let name = text(), let value = text() else { return nil }
            fields.append((name: name, value: value))
        }
        return HeaderFields(fields)
    }

    fileprivate mutating func text() -> String? {
        guard let length = number(4), length <= UInt64(count) else { return nil }
        defer { self = dropFirst(Int(length)) }
        return String(decoding: prefix(Int(length)), as: UTF8.self)
    }
}
