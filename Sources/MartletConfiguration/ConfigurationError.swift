/// What is wrong with a configuration file, all of it.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One thing that is wrong.
    public struct Problem: Sendable, Equatable {
        /// The line, counted from 1; nil when it is the file as a whole.
        public let line: Int?
        /// The column, counted from 1 in Unicode scalars; nil where only the line is told.
        public let column: Int?
        /// What is wrong and how to mend it.
        public let text: String

        /// Creates a problem.
        public init(line: Int?, column: Int? = nil, text: String) {
            self.line = line
            self.column = column
            self.text = text
        }

        /// The problem as compilers write it: `FILE:LINE:COLUMN: TEXT`, as far as that is known.
        public func message(file: String) -> String {
            let place = [line, line == nil ? nil : column].compactMap { $0 }.map { "\($0):" }
            return "\(file):\(place.joined()) \(text)"
        }
    }

    /// The file, as the user named it.
    public let file: String
    /// What is wrong, in the order of lines.
    public let problems: [Problem]

    /// Creates an error.
    public init(file: String, problems: [Problem]) {
        self.file = file
        self.problems = problems
    }

    /// One line for each problem.
    public var messages: [String] { problems.map { $0.message(file: file) } }

    /// The messages, each on a line.
    public var description: String { messages.joined(separator: "\n") }
}
