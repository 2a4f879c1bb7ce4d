import MartletTransport

/// Answers as bytes, for caches outside of this process.
///
/// The first byte is the form's number: form 4 is form 3 with trailers, those of a gRPC answer,
/// behind the header fields. Forms 1 and 2 told no life, without which an answer that goes from one
/// memory to another might live for ever. Numbers are big-endian; texts have their length in front.
/// What was written by another form, or is broken, is no answer.
enum AnswerCoding {
    private static let form: UInt8 = 3
    private static let formWithTrailers: UInt8 = 4
    private static let fieldsMax = 256

    /// An answer, and how long it is good; times are written in whole milliseconds.
    struct Kept: Sendable {
        var answer: HTTPResponse
        /// When a node gave it, since 1970.
        var storedAt: Duration
        /// How long it was to stay fresh then.
        var life: Duration
    }

    /// Writes an answer.
    static func encode(_ kept: Kept) -> [UInt8] {
        let answer = kept.answer
        var bytes: [UInt8] = [answer.trailers == nil ? form : formWithTrailers]
        for time in [kept.storedAt, kept.life] {
            bytes.append(UInt64(bitPattern: milliseconds(of: time)), count: 8)
        }
        bytes.append(UInt64(clamping: answer.status), count: 2)
        bytes.append(fields: answer.headers.fields.prefix(fieldsMax))
        if let trailers = answer.trailers {
            bytes.append(fields: trailers.fields.prefix(fieldsMax))
        }
        bytes += answer.body
        return bytes
    }

    /// Reads an answer; `nil` for what is none.
    static func decode(_ bytes: [UInt8]) -> Kept? {
        var rest = bytes[...]
        let form = rest.popFirst()
        guard form == self.form || form == formWithTrailers, let stored = rest.number(8),
            let life = rest.number(8), let status = rest.number(2),
            let headers = rest.fields(max: fieldsMax)
        else { return nil }
        var answer = HTTPResponse(status: Int(status), headers: headers)
        if form == formWithTrailers {
            guard let trailers = rest.fields(max: fieldsMax) else { return nil }
            answer.trailers = trailers
        }
        answer.body = Array(rest)
        return Kept(
            answer: answer, storedAt: .milliseconds(Int64(bitPattern: stored)),
            life: .milliseconds(Int64(bitPattern: life)))
    }

    private static func milliseconds(of time: Duration) -> Int64 {
        let (seconds, attoseconds) = time.components
        // Wraps around in 292 million years.
        return seconds &* 1000 &+ attoseconds / 1_000_000_000_000_000
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
