/// Hosts in the one form in which routes compare them.
enum HostName {
    /// The host of an authority: in lower case, without port, brackets and a final dot.
    static func canonical(_ authority: String) -> String {
        let isCanonical = authority.utf8.withContiguousStorageIfAvailable { bytes in
            bytes.last != PathBytes.dot
                && bytes.allSatisfy { !PathBytes.isCapital($0) && $0 != 0x3A && $0 != 0x5B }
        }
        if isCanonical ?? false { return authority }
        var host = authority[...]
        if host.hasPrefix("[") {
            host = host.dropFirst().prefix { $0 != "]" }
        } else if host.utf8.filter({ $0 == PathBytes.colon }).count == 1 {
            host = host.prefix { $0 != ":" }
        }
        if host.hasSuffix(".") { host = host.dropLast() }
        return host.lowercased()
    }
}

/// A host of a route's rule.
enum HostPattern: Sendable, Equatable, Hashable {
    /// This host.
    case exact(String)
    /// All hosts that end so; the text begins with a dot.
    case suffix(String)

    init(_ text: String) {
        if text.hasPrefix("*.") {
            self = .suffix(HostName.canonical(String(text.dropFirst())))
        } else {
            self = .exact(HostName.canonical(text))
        }
    }

    /// Whether a canonical host is one of them.
    func matches(_ host: String) -> Bool {
        switch self {
        case .exact(let exact): host == exact
        case .suffix(let suffix):
            host.utf8.count > suffix.utf8.count
                && host.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
        }
    }

    /// Whether every host of another pattern is one of this too.
    func covers(_ other: HostPattern) -> Bool {
        switch other {
        case .exact(let host): matches(host)
        case .suffix(let suffix): self == other || matches(suffix)
        }
    }
}
