public import MartletCore

/// Decodes the body of a request over REST that registers a region of shared memory.
public struct SharedMemoryRequestJSON: Sendable, Equatable {
    /// The key of the shared memory object.
    public let key: String
    /// Where in the object the region begins, in bytes.
    public let offset: Int
    /// Its size in bytes.
    public let byteCount: Int

    /// Decodes a body.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the member at fault.
    public init(_ body: [UInt8], limits: Limits) throws {
        self = try JSONTape.withParsed(body, limits: limits) { tape in
            let root = JSONTape.root
            guard tape.isObject(root) else {
                throw ServingError.invalidArgument("the body must be a JSON object")
            }
            guard let key = tape.member("key", of: root).flatMap({ tape.text($0) }) else {
                throw ServingError.invalidArgument("the request needs a 'key', a string")
            }
            return SharedMemoryRequestJSON(
                key: key, offset: try Self.number("offset", of: root, tape) ?? 0,
                byteCount: try Self.number("byte_size", of: root, tape) ?? 0)
        }
    }

    private init(key: String, offset: Int, byteCount: Int) {
        self.key = key
        self.offset = offset
        self.byteCount = byteCount
    }

    private static func number(
        _ name: String, of object: JSONTape.Index, _ tape: JSONTape
    ) throws -> Int? {
        guard let value = tape.member(name, of: object) else { return nil }
        guard let number = tape.integer(value, as: Int.self), number >= 0 else {
            throw ServingError.invalidArgument(
                "'\(name)' is \(tape.excerpt(value)); it must be a whole number")
        }
        return number
    }
}
