import Foundation
import MartletCore

/// Reads when requests came, as somebody has recorded it.
///
/// Each line is a time in seconds, or, with an interval, the number of requests in that interval.
/// Of several columns the first is taken; a first line of words, blank lines and those that begin
/// with `#` mean nothing.
public enum TraceFile {
    /// Most requests of a trace.
    public static let requestsMax = 50_000_000

    /// Reads a trace.
    ///
    /// - Parameters:
    ///   - text: the content of the file.
    ///   - interval: length of the interval that each line counts, in seconds; `nil` where lines
    ///     are times.
    ///   - speed: how much faster the trace is to be replayed than it was recorded.
    /// - Returns: times in nanoseconds from the first, in order.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the line.
    public static func read(
        _ text: String, interval: Double? = nil, speed: Double = 1
    ) throws -> [UInt64] {
        let numbers = try numbers(text)
        guard !numbers.isEmpty else {
            throw ServingError.invalidArgument("The trace has no lines with a number")
        }
        let seconds = try interval.map { try spread(numbers, interval: $0) } ?? numbers.sorted()
        guard let first = seconds.first, let last = seconds.last else {
            throw ServingError.invalidArgument("The trace has no requests")
        }
        // The start of the first interval is the start of the trace, even where it is empty.
        let start = interval == nil ? first : 0
        guard (last - start) / speed < 1e9 else {
            throw ServingError.invalidArgument("The trace is longer than 30 years")
        }
        return seconds.map { UInt64(($0 - start) / speed * 1e9) }
    }

    private static func numbers(_ text: String) throws -> [Double] {
        var numbers: [Double] = []
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let field = line.prefix { $0 != "," && $0 != ";" && $0 != "\t" }
                .trimmingCharacters(in: .whitespaces)
            guard !field.isEmpty, !field.hasPrefix("#") else { continue }
            guard let number = Double(field), number.isFinite, number >= 0 else {
                // A table may begin with the names of its columns.
                if numbers.isEmpty, index == 0 { continue }
                throw ServingError.invalidArgument(
                    "Line \(index + 1) of the trace begins with '\(field)', which is no number of "
                        + "0 or more")
            }
            guard numbers.count < requestsMax else {
                throw ServingError.invalidArgument(
                    "The trace has more than \(requestsMax) lines")
            }
            numbers.append(number)
        }
        return numbers
    }

    /// Spreads the requests of each interval evenly over it.
    private static func spread(_ counts: [Double], interval: Double) throws -> [Double] {
        guard counts.reduce(0, +) <= Double(requestsMax) else {
            throw ServingError.invalidArgument("The trace has more than \(requestsMax) requests")
        }
        return counts.enumerated().flatMap { index, count -> [Double] in
            let whole = Int(count.rounded())
            return (0..<whole).map {
                (Double(index) + (Double($0) + 0.5) / Double(whole)) * interval
            }
        }
    }
}
