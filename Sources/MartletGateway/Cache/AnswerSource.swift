import MartletTransport

/// Who answers a request, and what is changed in it on its way there.
///
/// Two routes to one pool that change the same share answers, also across gateways: what decides is
/// what the nodes are asked, not the name of the route. What a route changes in the path or in the
/// message is no part of this; keys are made of what is asked then.
struct AnswerSource: Sendable, Hashable {
    /// The pool's name.
    let pool: String
    /// The header fields that are changed, written so that different changes never give the same
    /// bytes; empty for none.
    let changes: [UInt8]

    /// A pool's answers to requests whose header fields are changed.
    ///
    /// - Parameters:
    ///   - pool: the pool's name; where requests are split, that of the one picked.
    ///   - changes: what the route changes in each request.
    init(pool: String, changes: FieldChanges = FieldChanges()) {
        self.pool = pool
        self.changes = AnswerSource.bytes(of: changes)
    }

    /// Of a route whose changes are written already.
    init(pool: String, changes: [UInt8]) {
        self.pool = pool
        self.changes = changes
    }

    /// Changes as bytes; empty for none.
    static func bytes(of changes: FieldChanges) -> [UInt8] {
        guard !changes.isEmpty else { return [] }
        var bytes: [UInt8] = []
        bytes.append(number: UInt64(changes.removed.count))
        for name in changes.removed.sorted() { bytes.append(part: name) }
        // Fields of one name count in their order.
        for field in changes.added {
            bytes.append(part: field.name)
            bytes.append(part: field.value)
        }
        return bytes
    }
}

extension [UInt8] {
    /// Appends a part of a key behind its length.
    mutating func append(part: String) {
        append(number: UInt64(part.utf8.count))
        append(contentsOf: part.utf8)
    }

    /// Appends the eight bytes of a number, the least significant first.
    mutating func append(number: UInt64) {
        for byte in 0..<8 { append(UInt8(truncatingIfNeeded: number >> (byte * 8))) }
    }
}
