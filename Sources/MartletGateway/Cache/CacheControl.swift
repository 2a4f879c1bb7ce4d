/// What the `cache-control` fields of a message ask of a cache.
///
/// Source: RFC 9111, section 5.2. Of the directives there, those are read that forbid something or
/// bound an age; the others could only widen what the gateway's own policy allows.
struct CacheControl: Sendable, Equatable {
    /// `no-store`, and for answers also `private`: not to be kept.
    var forbidsStoring = false
    /// `no-cache`: not to be answered, or given again, without asking the node.
    var forbidsReuse = false
    /// `max-age`: the age that answers have to stay below; nil if there is no such bound.
    var ageMax: Duration?

    /// Reads the values of all fields of a message.
    ///
    /// Commas within quotes part directives here too: what is then misread can only forbid more.
    init(_ values: [String] = []) {
        for value in values {
            for directive in value.split(separator: ",") { read(directive) }
        }
    }

    private mutating func read(_ directive: Substring) {
        let parts = directive.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = CacheControl.trim(parts[0]).lowercased()
        switch name {
        case "no-store", "private": forbidsStoring = true
        case "no-cache": forbidsReuse = true
        case "max-age":
            let age = CacheControl.age(parts.count == 2 ? CacheControl.trim(parts[1]) : "")
            ageMax = min(age, ageMax ?? age)
        default: break
        }
    }

    /// An age in seconds; zero for what is none, as section 4.2.1 suggests.
    ///
    /// More than 2^31 is as good as for ever (section 1.2.2).
    private static func age(_ text: Substring) -> Duration {
        var digits = text
        if digits.count >= 2, digits.first == "\"", digits.last == "\"" {
            digits = digits.dropFirst().dropLast()
        }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return .zero
        }
        return .seconds(min(Int64(digits) ?? .max, 1 << 31))
    }

    private static func trim(_ text: Substring) -> Substring {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var rest = text.drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return rest
    }
}
