public import MartletCore

/// What a running node tells by its metrics, as far as `martlet doctor` asks.
public struct NodeMetricsPage: Sendable, Equatable {
    /// Longest page that is read; nodes with thousands of models have long ones.
    public static let maximumBytes = 64 << 20

    private var samples: [String: Double] = [:]

    /// Reads a page in Prometheus' text format.
    ///
    /// - Parameter text: the page.
    public init(_ text: String) {
        for line in text.split(separator: "\n")
        where line.hasPrefix("martlet_")
            || line.hasPrefix("process_")
        {
            guard let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...])
            else { continue }
            samples[String(line[..<space])] = value
        }
    }

    /// The value of a sample without labels, or with those behind its name in braces.
    public func value(_ sample: String) -> Double? { samples[sample] }

    /// The node's thread budget; `nil` if the page has none.
    public var threads: ThreadBudget? {
        guard let cores = samples["martlet_cores"] else { return nil }
        var counts: [String: Int] = [:]
        for kind in ThreadBudget.Kind.allCases {
            let sample = "martlet_threads{kind=\"\(kind.rawValue)\"}"
            counts[kind.rawValue] = samples[sample].flatMap { Int(exactly: $0) }
        }
        return ThreadBudget(cores: Int(exactly: cores) ?? 1, counts: counts)
    }

    /// The number of the process, as the node sees it.
    var processID: Int? { samples["martlet_process_id"].flatMap { Int(exactly: $0) } }
}
