/// Draws frames over each other on a terminal, by text that moves its cursor.
public struct LivePainter: Sendable {
    private var drawn = 0

    /// Creates a painter that has drawn nothing.
    public init() {}

    /// The text that replaces the frame before by another.
    public mutating func paint(_ lines: [String]) -> String {
        defer { drawn = lines.count }
        return erase() + lines.map { $0 + "\n" }.joined()
    }

    /// The text that removes what was drawn.
    public mutating func clear() -> String {
        defer { drawn = 0 }
        return erase()
    }

    private func erase() -> String {
        drawn > 0 ? "\u{1B}[\(drawn)A\u{1B}[J" : ""
    }
}
