/// The header fields of a message, in order, as they came.
public struct HeaderFields: Sendable, ExpressibleByDictionaryLiteral {
    private enum Storage: Sendable {
        case list([(name: String, value: String)])
        /// Still in the bytes of a request.
        case head(HTTP1Head)
    }

    private var storage: Storage

    /// Creates fields in the given order.
    public init(_ fields: [(name: String, value: String)] = []) {
        storage = .list(fields)
    }

    /// Creates fields from a literal such as `["content-type": "text/plain"]`.
    public init(dictionaryLiteral elements: (String, String)...) {
        storage = .list(elements.map { (name: $0.0, value: $0.1) })
    }

    /// The fields of a request, read when they are asked for.
    init(_ head: HTTP1Head) {
        storage = .head(head)
    }

    /// Names and values.
    public var fields: [(name: String, value: String)] {
        switch storage {
        case .list(let fields): fields
        case .head(let head): head.fields
        }
    }

    /// The first value under `name`, upper and lower case alike.
    public func first(_ name: String) -> String? {
        switch storage {
        case .list(let fields): fields.first { $0.name.equalsIgnoringASCIICase(name) }?.value
        case .head(let head): head.first(name)
        }
    }

    /// Adds a field behind the others.
    public mutating func add(_ name: String, _ value: String) {
        var fields = fields
        // Let go of first, so that the list is not copied.
        storage = .list([])
        fields.append((name: name, value: value))
        storage = .list(fields)
    }
}

extension String {
    /// Whether two texts are the same but for ASCII upper and lower case.
    func equalsIgnoringASCIICase(_ other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        return zip(utf8, other.utf8).allSatisfy { left, right in
            left == right || (left | 0x20 == right | 0x20 && (0x61...0x7A).contains(left | 0x20))
        }
    }
}
