/// A pattern for names, in which `*` stands for any run of bytes, an empty one included.
///
/// With a separator, a `*` stands only for bytes between two separators: `*.example.com` matches
/// `a.example.com`, not `a.b.example.com`.
///
/// Matching takes at most the length of the pattern times that of the name, both of which are
/// bounded.
struct GlobPattern: Sendable, Hashable {
    /// The bounds of patterns and names.
    enum Bounds {
        /// Bytes of a pattern.
        static let bytes = 256
        /// Stars of a pattern.
        static let stars = 8
        /// Bytes of a name; longer ones match nothing.
        static let nameBytes = 1024
    }

    /// The pattern as it was written.
    let text: String
    private let segments: [[UInt8]]
    private let separator: UInt8?
    private let hasStars: Bool

    /// A pattern; nil if it has a fault.
    init?(_ text: String, separator: UInt8? = nil) {
        guard GlobPattern.fault(of: text) == nil else { return nil }
        self.text = text
        self.separator = separator
        segments = GlobPattern.split(Array(text.utf8), at: separator)
        hasStars = text.utf8.contains(GlobPattern.star)
    }

    /// What is wrong with a pattern, as the end of a sentence that begins with it.
    static func fault(of text: String) -> String? {
        if text.isEmpty { return "is empty" }
        if text.utf8.count > Bounds.bytes { return "is longer than \(Bounds.bytes) bytes" }
        let stars = text.utf8.count { $0 == star }
        return stars > Bounds.stars ? "has more than \(Bounds.stars) '*'" : nil
    }

    /// Whether a name is meant.
    func matches(_ name: String) -> Bool {
        guard hasStars else { return name.utf8.elementsEqual(text.utf8) }
        guard name.utf8.count <= Bounds.nameBytes else { return false }
        let parts = GlobPattern.split(Array(name.utf8), at: separator)
        return parts.count == segments.count
            && zip(segments, parts).allSatisfy { GlobPattern.matches($0, $1) }
    }

    private static let star = UInt8(ascii: "*")

    private static func split(_ bytes: [UInt8], at separator: UInt8?) -> [[UInt8]] {
        guard let separator else { return [bytes] }
        return bytes.split(separator: separator, omittingEmptySubsequences: false).map(Array.init)
    }

    /// Whether bytes match a pattern.
    ///
    /// After a mismatch only the last star needs to take one byte more: what an earlier one could
    /// take instead, the last can as well.
    private static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var (at, place) = (0, 0)
        var retry: (at: Int, place: Int)?
        while place < name.count {
            if at < pattern.count, pattern[at] == star {
                retry = (at, place)
                at += 1
            } else if at < pattern.count, pattern[at] == name[place] {
                at += 1
                place += 1
            } else if let last = retry {
                retry = (last.at, last.place + 1)
                (at, place) = (last.at + 1, last.place + 1)
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == star }
    }
}
