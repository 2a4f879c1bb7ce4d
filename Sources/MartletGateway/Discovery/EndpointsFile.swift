public import MartletCore
import MartletTransport

/// A file of endpoints: one a line, what is behind `#` is a comment.
///
/// ```
/// # host:port [weight=N] [zone=Z] [region=R]
/// 10.0.0.1:8501
/// node-2.example:8501 weight=3 zone=eu-1a region=eu-1
/// [2001:db8::1]:8501
/// ```
public enum EndpointsFile {
    /// The bounds of a file.
    enum Bounds {
        /// Bytes of a file.
        static let bytes = 1 << 20
        /// Endpoints in a file.
        static let endpoints = 10_000
        /// Bytes of a host's name, as DNS has it; of a zone's or region's too.
        static let nameBytes = 253
        /// Problems that are told of a file.
        static let problems = 20
    }

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - text: what is in the file.
    ///   - file: its name, for messages.
    /// - Returns: the endpoints, each with another address.
    /// - Throws: `INVALID_ARGUMENT`, with each problem on a line as compilers write them,
    ///   `FILE:LINE: TEXT`; twenty at most.
    public static func parse(
        _ text: String, file: String = "endpoints"
    ) throws(ServingError) -> EndpointSet {
        guard text.utf8.count <= Bounds.bytes else {
            throw .invalidArgument("\(file): larger than \(Bounds.bytes) bytes")
        }
        var reading = EndpointsReading(file: file)
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            reading.read(line, number: index + 1)
            if reading.problems.count >= Bounds.problems { break }
        }
        guard reading.problems.isEmpty else {
            throw .invalidArgument(reading.problems.joined(separator: "\n"))
        }
        return EndpointSet(reading.endpoints)
    }
}

/// What was read of a file so far.
private struct EndpointsReading {
    let file: String
    private(set) var endpoints: [DiscoveredEndpoint] = []
    private(set) var problems: [String] = []
    private var lines: [EndpointID: Int] = [:]

    init(file: String) {
        self.file = file
    }

    mutating func read(_ line: Substring, number: Int) {
        let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
        guard let first = words.first else { return }
        do throws(EndpointProblem) {
            let address = try EndpointWords.address(first)
            let endpoint = try EndpointWords.endpoint(at: address, words.dropFirst())
            if let earlier = lines.updateValue(number, forKey: endpoint.id) {
                throw EndpointProblem("\(endpoint.id) is already in line \(earlier)")
            }
            if endpoints.count >= EndpointsFile.Bounds.endpoints {
                throw EndpointProblem("more than \(EndpointsFile.Bounds.endpoints) endpoints")
            }
            endpoints.append(endpoint)
        } catch {
            problems.append("\(file):\(number): \(error.text)")
        }
    }
}

/// What is wrong with a line.
private struct EndpointProblem: Error {
    let text: String

    init(_ text: String) {
        self.text = text
    }
}

/// The words of a line.
private enum EndpointWords {
    static func address(_ word: Substring) throws(EndpointProblem) -> UpstreamAddress {
        let problem = EndpointProblem(
            "\(quoted(word)) is no address; write HOST:PORT or [IPV6]:PORT, with a port from 1 to "
                + "65535")
        guard let colon = word.lastIndex(of: ":"),
            let port = number(word[word.index(after: colon)...]), (1...65535).contains(port)
        else { throw problem }
        let host = word[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            let address = host.dropFirst().dropLast()
            guard address.contains(":"), isName(address, besides: ":%") else { throw problem }
            return UpstreamAddress(host: String(address), port: port)
        }
        guard isName(host) else { throw problem }
        return UpstreamAddress(host: String(host), port: port)
    }

    static func endpoint(
        at address: UpstreamAddress, _ words: ArraySlice<Substring>
    ) throws(EndpointProblem) -> DiscoveredEndpoint {
        var values: [Substring: Substring] = [:]
        for word in words {
            let parts = word.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, ["weight", "zone", "region"].contains(parts[0]) else {
                throw EndpointProblem(
                    "\(quoted(word)) is not known; there are weight=N, zone=Z and region=R")
            }
            guard values.updateValue(parts[1], forKey: parts[0]) == nil else {
                throw EndpointProblem("\(parts[0]) is given twice")
            }
        }
        return DiscoveredEndpoint(
            address: address, weight: try weight(values["weight"]),
            locality: Locality(
                region: try name(values["region"], of: "region"),
                zone: try name(values["zone"], of: "zone")))
    }

    private static func weight(_ value: Substring?) throws(EndpointProblem) -> Int {
        guard let value else { return 1 }
        let weights = DiscoveredEndpoint.weights
        guard let weight = number(value), weights.contains(weight) else {
            throw EndpointProblem(
                "weight \(quoted(value)) is no whole number from \(weights.lowerBound) to "
                    + "\(weights.upperBound)")
        }
        return weight
    }

    private static func name(
        _ value: Substring?, of option: String
    ) throws(EndpointProblem) -> String? {
        guard let value else { return nil }
        guard isName(value) else {
            throw EndpointProblem(
                "\(option) \(quoted(value)) is no name; write letters, digits, '-', '.' and '_'")
        }
        return String(value)
    }

    /// A number of digits alone: `Int` would take a sign too.
    private static func number(_ text: Substring) -> Int? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }

    private static func isName(_ text: Substring, besides others: String = "") -> Bool {
        guard !text.isEmpty, text.utf8.count <= EndpointsFile.Bounds.nameBytes else { return false }
        return text.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0) || others.contains($0))
        }
    }

    /// A word as messages show it: whole if it is short.
    private static func quoted(_ word: Substring) -> String {
        word.count <= 64 ? "'\(word)'" : "'\(word.prefix(61))...'"
    }
}
