/// A text that much is looked up by: its hash is made once, a copy costs one reference, and copies
/// of the same one are equal without a look at the text.
public struct HashedText: Sendable, Hashable, Comparable, CustomStringConvertible {
    private final class Storage: Sendable {
        let text: String
        let hash: Int

        init(_ text: String) {
            self.text = text
            hash = text.hashValue
        }
    }

    private let storage: Storage

    /// Takes a text, and its hash.
    public init(_ text: String) { storage = Storage(text) }

    /// The text.
    public var text: String { storage.text }

    /// The text.
    public var description: String { storage.text }

    /// Whether both are the same text.
    public static func == (left: HashedText, right: HashedText) -> Bool {
        left.storage === right.storage
            || left.storage.hash == right.storage.hash && left.storage.text == right.storage.text
    }

    /// Takes in the hash that was made before.
    public func hash(into hasher: inout Hasher) { hasher.combine(storage.hash) }

    /// Orders by the texts.
    public static func < (left: HashedText, right: HashedText) -> Bool {
        left.storage.text < right.storage.text
    }
}
