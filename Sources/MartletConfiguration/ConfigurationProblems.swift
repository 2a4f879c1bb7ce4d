/// Collects what is wrong while a configuration is read, so that all of it is told at once.
///
/// It also remembers where each key that was read stands, so that a check of the whole, which works
/// on plain values, can name the place.
public struct ConfigurationProblems: Sendable {
    private struct Place: Sendable {
        let line: Int
        let column: Int
    }

    /// Problems that are told; of more only the number is.
    public static let countMax = 100

    /// What is wrong, in the order in which it was found.
    public private(set) var problems: [ConfigurationError.Problem] = []
    /// What is probably not meant, though it can be done, in the order in which it was found.
    public private(set) var warnings: [ConfigurationError.Problem] = []

    /// Whether what the keys of ``ConfigurationRule/atLeastOneOrGiven(_:)`` say is given with the
    /// file, so that they may be absent.
    let isCompletedElsewhere: Bool

    private let marksColumns: Bool
    private var places: [String: Place] = [:]
    private var dropped: Set<String> = []
    private var incomplete: Set<String> = []
    private var untold = 0

    /// Begins with nothing wrong.
    ///
    /// - Parameters:
    ///   - marksColumns: whether messages name columns.
    ///   - isCompletedElsewhere: whether keys may be absent that flags can stand for.
    public init(marksColumns: Bool = false, isCompletedElsewhere: Bool = false) {
        self.marksColumns = marksColumns
        self.isCompletedElsewhere = isCompletedElsewhere
    }

    /// Whether no more problems are told, only counted.
    var isFull: Bool { problems.count >= Self.countMax }

    /// Notes a problem of a key, such as `nodes.count`.
    public mutating func add(line: Int?, column: Int? = nil, _ keyPath: String, _ text: String) {
        guard !isFull else {
            untold += 1
            return
        }
        problems.append(problem(line: line, column: column, keyPath, text))
    }

    /// Notes a problem of a value.
    public mutating func add(_ value: ConfigurationValue, _ text: String) {
        add(line: value.line, column: value.column, value.keyPath, text)
    }

    /// Notes a problem of a key that was read, or of the section it is missing in.
    public mutating func add(at keyPath: String, _ text: String) {
        let place = place(of: keyPath)
        add(line: place?.line, column: place?.column, keyPath, text)
    }

    /// Notes that something at a key that was read is probably not meant.
    public mutating func warn(at keyPath: String, _ text: String) {
        guard warnings.count < Self.countMax else { return }
        let place = place(of: keyPath)
        warnings.append(problem(line: place?.line, column: place?.column, keyPath, text))
    }

    /// The line at which a key stands that was read, or else what is around it.
    public func line(of keyPath: String) -> Int? { place(of: keyPath)?.line }

    /// Whether a key was there.
    public func wasRead(_ keyPath: String) -> Bool { places[keyPath] != nil }

    /// Remembers where a value stands.
    public mutating func note(_ value: ConfigurationValue) {
        places[value.keyPath] = Place(line: value.line, column: value.column)
    }

    /// Remembers that an item of a list is so wrong that it is not among the values.
    mutating func noteDropped(_ value: ConfigurationValue, from list: ConfigurationValue) {
        dropped.insert(value.keyPath)
        incomplete.insert(list.keyPath)
    }

    /// Where in the file the values of a list stand, of which some may have been dropped.
    public func keyPaths(of list: String, count: Int) -> [String] {
        var keyPaths: [String] = []
        var index = 0
        while keyPaths.count < count {
            let keyPath = "\(list)[\(index)]"
            if !dropped.contains(keyPath) { keyPaths.append(keyPath) }
            index += 1
        }
        return keyPaths
    }

    /// Whether an item of a list was dropped.
    public func hasDropped(from list: String) -> Bool {
        incomplete.contains(list)
    }

    /// Throws what was noted, if anything was.
    public func check(file: String) throws {
        guard !problems.isEmpty else { return }
        var sorted = Self.sorted(problems)
        if untold > 0 {
            sorted.append(.init(line: nil, text: "and \(untold) more problems"))
        }
        throw ConfigurationError(file: file, problems: sorted)
    }

    /// The warnings, in the order of lines.
    public var sortedWarnings: [ConfigurationError.Problem] { Self.sorted(warnings) }

    private func problem(
        line: Int?, column: Int?, _ keyPath: String, _ text: String
    ) -> ConfigurationError.Problem {
        let prefix = keyPath.isEmpty ? "" : "\(keyPath): "
        return .init(line: line, column: marksColumns ? column : nil, text: prefix + text)
    }

    private static func sorted(
        _ problems: [ConfigurationError.Problem]
    ) -> [ConfigurationError.Problem] {
        problems.enumerated()
            .sorted { first, second in
                (first.element.line ?? 0, first.element.column ?? 0, first.offset)
                    < (second.element.line ?? 0, second.element.column ?? 0, second.offset)
            }
            .map(\.element)
    }

    /// Where a key stands, or the nearest of those around it that was read.
    private func place(of keyPath: String) -> Place? {
        var path = keyPath[...]
        while true {
            if let place = places[String(path)] { return place }
            guard let end = path.lastIndex(where: { $0 == "." || $0 == "[" }) else {
                return places[""]
            }
            path = path[..<end]
        }
    }
}
