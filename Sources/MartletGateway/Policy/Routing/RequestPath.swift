import MartletCore

/// The path of a request in the one form in which routes compare it.
///
/// Two paths that a node takes for the same must be the same here, or a route could be gone around:
/// percent-encoding is undone once for characters that mean only themselves (RFC 3986, section
/// 6.2.2), and the words of TensorFlow Serving's paths, which nodes take in upper and lower case
/// alike, are in lower case. What no node understands, and other programs might understand as a way
/// out, is refused: dot segments, empty segments, and encoded slashes and control characters.
///
/// The path that goes to the node is the raw one.
struct RequestPath: Sendable, Equatable {
    /// The path as it came.
    let raw: String
    /// The path as routes compare it; ASCII.
    let canonical: String

    /// Reads the path of a request's target, without the query.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for one that is refused.
    init(_ raw: String) throws(ServingError) {
        self.raw = raw
        let isCanonical = raw.utf8.withContiguousStorageIfAvailable(RequestPath.isCanonical)
        canonical = isCanonical ?? false ? raw : try RequestPath.canonical(of: raw)
    }

    /// Whether a path is certainly in its canonical form; nearly all are.
    private static func isCanonical(_ raw: UnsafeBufferPointer<UInt8>) -> Bool {
        guard raw.first == PathBytes.slash else { return false }
        var previous: UInt8 = 0
        var hasCapital = false
        for byte in raw {
            guard PathBytes.isPlain(byte) else { return false }
            let isHiddenOrEmpty = byte == PathBytes.slash || byte == PathBytes.dot
            if isHiddenOrEmpty, previous == PathBytes.slash { return false }
            hasCapital = hasCapital || PathBytes.isCapital(byte)
            previous = byte
        }
        return !hasCapital || hasCapitalsInNameOnly(raw)
    }

    /// Whether the words of a path are in lower case though it has capitals.
    private static func hasCapitalsInNameOnly(_ raw: UnsafeBufferPointer<UInt8>) -> Bool {
        guard raw.starts(with: PathBytes.models.utf8) else {
            return raw.count < 2 || raw[1] | 0x20 != UInt8(ascii: "v")
        }
        let behindName = raw.dropFirst(PathBytes.models.utf8.count)
            .drop { $0 != PathBytes.slash && $0 != PathBytes.colon }
        return !behindName.contains(where: PathBytes.isCapital)
    }

    private static func canonical(of raw: String) throws(ServingError) -> String {
        // The target of OPTIONS for the server as a whole.
        if raw == "*" { return raw }
        guard raw.utf8.first == PathBytes.slash else {
            throw .invalidArgument("The path does not begin with a slash")
        }
        var segments = try PathBytes.canonical(raw.utf8).split(
            separator: PathBytes.slash, omittingEmptySubsequences: false
        ).dropFirst().map { Array($0) }
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            let isDots = segment == [PathBytes.dot] || segment == [PathBytes.dot, PathBytes.dot]
            guard !isDots, isLast || !segment.isEmpty else {
                throw .invalidArgument("The path has empty segments, '.' or '..'")
            }
        }
        PathBytes.lowercaseWords(&segments)
        return segments.reduce(into: "") { path, segment in
            path += "/" + String(decoding: segment, as: UTF8.self)
        }
    }
}

/// The characters of paths.
enum PathBytes {
    static let slash = UInt8(ascii: "/")
    static let dot = UInt8(ascii: ".")
    static let colon = UInt8(ascii: ":")
    /// What TensorFlow Serving's paths begin with.
    static let models = "/v1/models/"
    private static let percent = UInt8(ascii: "%")

    /// Whether a byte stands in a path for itself: `pchar` and the slash of RFC 3986, section 3.3.
    @inline(__always)
    static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x2F, 0x3A, 0x2D, 0x2E, 0x5F, 0x7E: true
        case 0x21, 0x24, 0x26...0x2C, 0x3B, 0x3D, 0x40: true
        default: false
        }
    }

    @inline(__always)
    static func isCapital(_ byte: UInt8) -> Bool { byte &- 0x41 < 26 }

    /// The bytes of a path with encoding undone where it changes nothing, and done in capitals
    /// elsewhere.
    static func canonical(_ bytes: some Sequence<UInt8>) throws(ServingError) -> [UInt8] {
        var result: [UInt8] = []
        var rest = bytes.makeIterator()
        while let byte = rest.next() {
            guard byte == percent else {
                append(byte, isPlain: isPlain(byte), to: &result)
                continue
            }
            guard let high = rest.next().flatMap(hexadecimal),
                let low = rest.next().flatMap(hexadecimal)
            else { throw .invalidArgument("The path is not percent-encoded text") }
            let decoded = high << 4 | low
            guard decoded != slash else {
                throw .invalidArgument("The path has an encoded slash")
            }
            // A colon parts a model's name from its verb, unless it is encoded.
            append(decoded, isPlain: isPlain(decoded) && decoded != colon, to: &result)
        }
        for (index, byte) in result.enumerated() where byte == percent {
            let isControl =
                result[index + 1] < 0x32 || result[index + 1...index + 2] == [0x37, 0x46]
            guard !isControl else {
                throw .invalidArgument("The path has a control character")
            }
        }
        return result
    }

    /// Puts the words of `/v1/models/NAME/versions/1:predict` in lower case, but not the names.
    static func lowercaseWords(_ segments: inout [[UInt8]]) {
        guard segments.count >= 2, lowercased(segments[0]) == Array("v1".utf8),
            lowercased(segments[1]) == Array("models".utf8)
        else { return }
        segments[0] = lowercased(segments[0])
        segments[1] = lowercased(segments[1])
        if segments.count > 4 {
            let kind = lowercased(segments[3])
            if ["versions", "labels"].contains(where: { kind == Array($0.utf8) }) {
                segments[3] = kind
            }
        }
        let last = segments.count - 1
        guard last >= 2, let mark = segments[last].firstIndex(of: colon) else { return }
        segments[last].replaceSubrange(mark..., with: lowercased(segments[last][mark...]))
    }

    private static func lowercased(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        bytes.map { isCapital($0) ? $0 | 0x20 : $0 }
    }

    private static func append(_ byte: UInt8, isPlain: Bool, to result: inout [UInt8]) {
        if isPlain {
            result.append(byte)
        } else {
            result += [percent, digit(byte >> 4), digit(byte & 15)]
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x37 + value
    }

    /// The value of a hexadecimal digit.
    static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// A text with percent-encoding undone once; nil if it is not UTF-8 in percent-encoding.
    static func decoded(_ text: Substring) -> String? {
        guard text.utf8.contains(percent) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == percent else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(hexadecimal),
                let low = rest.next().flatMap(hexadecimal)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
