import MartletCore

/// The address of a file on a web server, taken apart once, strictly.
///
/// Whoever connects uses these parts and no other reading of the text, so that nothing is checked
/// that is not also what is asked for.
public struct ModelURL: Sendable, Hashable, CustomStringConvertible {
    /// Longest address in bytes.
    static let bytesMax = 8192

    /// Whether it is `https`.
    public let isEncrypted: Bool

    /// The host's name or address, in lower case; IPv6 addresses without brackets.
    public let host: String

    /// The port: 443 or 80 where none is written.
    public let port: Int

    /// Path and query, as a request line holds them.
    public let path: String

    /// Reads an address.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for another scheme than `http` and `https`, a
    ///   name or password in it, and what is no address.
    public init(_ text: String) throws {
        guard text.utf8.count <= ModelURL.bytesMax,
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x5C })
        else {
            throw ModelURL.refusal(
                text,
                "it has a space, a backslash, a letter beyond ASCII or is "
                    + "longer than \(ModelURL.bytesMax) bytes")
        }
        let scheme = text.prefix { $0 != ":" }.lowercased()
        guard ["http", "https"].contains(scheme), text.dropFirst(scheme.count).hasPrefix("://")
        else { throw ModelURL.refusal(text, "it does not begin with https:// or http://") }
        let rest = text.dropFirst(scheme.count + 3)
        let authority = rest.prefix { !"/?#".contains($0) }
        let tail = rest.dropFirst(authority.count).prefix { $0 != "#" }
        isEncrypted = scheme == "https"
        (host, port) = try ModelURL.place(authority, standard: isEncrypted ? 443 : 80, of: text)
        path = tail.hasPrefix("/") ? String(tail) : "/\(tail)"
    }

    private init(isEncrypted: Bool, host: String, port: Int, path: String) {
        self.isEncrypted = isEncrypted
        self.host = host
        self.port = port
        self.path = path
    }

    private static func place(
        _ authority: Substring, standard: Int, of text: String
    ) throws -> (host: String, port: Int) {
        guard !authority.contains("@") else {
            throw refusal(text, "it holds a name or password, which would be seen by others")
        }
        var host = authority
        var port = standard
        let ends = authority.hasPrefix("[") ? authority.firstIndex(of: "]") : authority.startIndex
        guard let ends else { throw refusal(text, "its host is not closed by ]") }
        if let colon = authority[ends...].firstIndex(of: ":") {
            host = authority[..<colon]
            let digits = authority[colon...].dropFirst()
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65_535).contains(number)
            else { throw refusal(text, "its port is not from 1 to 65535") }
            port = number
        }
        let isAddress = host.hasPrefix("[")
        if isAddress {
            guard host.hasSuffix("]") else { throw refusal(text, "its host is no name") }
            host = host.dropFirst().dropLast()
        }
        let isSound = host.utf8.allSatisfy { letter in
            switch letter {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E: true
            case 0x3A: isAddress
            case 0x5F: !isAddress
            default: false
            }
        }
        guard !host.isEmpty, host.utf8.count <= 253, isSound else {
            throw refusal(text, "its host is no name")
        }
        return (host.lowercased(), port)
    }

    private static func refusal(_ text: String, _ reason: String) -> ServingError {
        .invalidArgument("'\(text.shown)' is not the address of a model: \(reason)")
    }

    /// Where an answer with a status of 3xx leads.
    ///
    /// - Parameter location: its field `location`.
    /// - Returns: the address to ask next.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for what is no address, and for a way from an
    ///   encrypted connection to one in the clear.
    public func redirected(to location: String) throws -> ModelURL {
        guard !location.hasPrefix("/") || location.hasPrefix("//") else {
            let checked = try ModelURL("https://\(authority)\(location)")
            return ModelURL(isEncrypted: isEncrypted, host: host, port: port, path: checked.path)
        }
        let scheme = isEncrypted ? "https:" : "http:"
        let target = try ModelURL(location.hasPrefix("//") ? scheme + location : location)
        guard target.isEncrypted || !isEncrypted else {
            throw ModelURL.refusal(location, "it leads from https to http")
        }
        return target
    }

    /// Host and port as the field `host` has them.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isEncrypted ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The whole address.
    public var description: String { "\(isEncrypted ? "https" : "http")://\(authority)\(path)" }

    /// The last part of the path, which names the file; empty where it ends with a slash.
    public var fileName: String {
        let plain = path.prefix { $0 != "?" }
        return plain.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init)
            ?? ""
    }

    /// The addresses of all parts of a model whose file is named `NAME-0000I-of-0000N.gguf`; this
    /// one alone for any other.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for more parts than possible.
    public func parts(limits: GGUFLimits = GGUFLimits()) throws -> [ModelURL] {
        guard let part = GGUFPartName(fileName), part.count > 1 else { return [self] }
        guard part.count <= limits.parts else {
            throw ModelURL.refusal(description, "it is of \(part.count) parts, more than possible")
        }
        let plain = path.prefix { $0 != "?" }
        let folder = plain.dropLast(fileName.count)
        let query = path.dropFirst(plain.count)
        return (1...part.count).map { index in
            ModelURL(
                isEncrypted: isEncrypted, host: host, port: port,
                path: "\(folder)\(part.name(of: index))\(query)")
        }
    }
}
