/// Rows of words in aligned columns, for people at a terminal.
public struct TextTable: Sendable, Equatable {
    /// On which side of its column a word stands.
    public enum Alignment: Sendable, Equatable {
        /// Words.
        case left
        /// Numbers.
        case right
    }

    /// How a word is meant; shown by its colour where there is colour.
    public enum Tone: Sendable, Equatable {
        /// Neither good nor bad.
        case plain
        /// As it should be.
        case good
        /// On its way.
        case pending
        /// Wants attention.
        case bad

        var color: String? {
            switch self {
            case .plain: nil
            case .good: "\u{1B}[32m"
            case .pending: "\u{1B}[33m"
            case .bad: "\u{1B}[31m"
            }
        }
    }

    /// A column's head.
    public struct Column: Sendable, Equatable {
        let title: String
        let alignment: Alignment

        /// Creates a column.
        public init(_ title: String, _ alignment: Alignment = .left) {
            self.title = title
            self.alignment = alignment
        }
    }

    /// One word of one row.
    public struct Cell: Sendable, Equatable, ExpressibleByStringLiteral {
        let text: String
        let tone: Tone

        /// Creates a cell; characters that would steer the terminal are shown escaped.
        public init(_ text: some StringProtocol, _ tone: Tone = .plain) {
            self.text = printable(text)
            self.tone = tone
        }

        /// Creates a plain cell.
        public init(stringLiteral text: String) {
            self.init(text)
        }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []

    /// Creates a table without rows.
    public init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Adds a row below the others, with a cell for each column.
    public mutating func append(_ row: [Cell]) {
        rows.append(row)
    }

    /// The table, each line ending in a newline.
    public func text(hasColor: Bool = false) -> String {
        let head = columns.map { Cell($0.title) }
        let widths = columns.indices.map { column in
            ([head] + rows).compactMap { $0.indices.contains(column) ? $0[column] : nil }
                .map(\.text.count).max() ?? 0
        }
        return ([head] + rows).map { row in
            var line = ""
            for (column, cell) in zip(columns.indices, row) {
                if column > 0 { line += "  " }
                let padding = String(repeating: " ", count: widths[column] - cell.text.count)
                let isRight = columns[column].alignment == .right
                if isRight { line += padding }
                line += hasColor ? colored(cell) : cell.text
                if !isRight { line += padding }
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    private func colored(_ cell: Cell) -> String {
        guard let color = cell.tone.color else { return cell.text }
        return color + cell.text + "\u{1B}[0m"
    }
}

/// A text in which control characters are written as escapes, fit for a terminal.
///
/// Names and messages come from files and from other machines; a terminal would obey them.
func printable(_ text: some StringProtocol) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
            result += scalar.escaped(asASCII: true)
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
