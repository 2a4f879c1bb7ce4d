/// A request's target, taken apart (RFC 9112, section 3.2).
struct HTTP1Target {
    let path: Range<Int>
    let query: Range<Int>

    /// The host that an absolute target names.
    let authority: Range<Int>?

    /// Whether it is the server as a whole, which its absolute form says by having neither path nor
    /// query; a proxy passes on `*` then (section 3.2.4).
    let isServer: Bool

    /// Reads the target of any method but CONNECT, which is not empty.
    init(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, isOptions: Bool
    ) throws(HTTP1Fault) {
        var rest = range
        var authority: Range<Int>?
        switch bytes[range.lowerBound] {
        case UInt8(ascii: "/"): break
        case UInt8(ascii: "*") where isOptions && range.count == 1: break
        default:
            let host = try HTTP1Target.authority(bytes, range)
            authority = host
            rest = host.upperBound..<range.upperBound
        }
        self.authority = authority
        isServer = isOptions && rest.isEmpty
        let mark = rest.first { bytes[$0] == UInt8(ascii: "?") } ?? rest.upperBound
        path = rest.lowerBound..<mark
        query = min(mark + 1, rest.upperBound)..<rest.upperBound
    }

    private static func authority(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) throws(HTTP1Fault) -> Range<Int> {
        let schemes: [StaticString] = ["http://", "https://"]
        for scheme in schemes {
            let start = range.lowerBound + scheme.utf8CodeUnitCount
            guard start < range.upperBound, bytes.spells(scheme, range.lowerBound..<start) else {
                continue
            }
            let rest = start..<range.upperBound
            let end = rest.first { bytes[$0] == 0x2F || bytes[$0] == 0x3F } ?? rest.upperBound
            guard end > start, HTTP1Authority.isValid(bytes, start..<end) else { break }
            return start..<end
        }
        throw .malformed("The request's target is neither a path nor a URL of http or https")
    }
}
