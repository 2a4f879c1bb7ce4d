internal import Crypto
import MartletCore
public import MartletTransport

/// The keys that clients may show, of which only digests are kept.
public struct APIKeys: Sendable {
    private struct Entry {
        let name: String?
        let digest: SHA256Digest
    }

    private let entries: [Entry]

    /// How many keys there are.
    public var count: Int { entries.count }

    /// Reads a list of keys: one a line, `NAME:` before it if it has a name, `#` before comments.
    ///
    /// - Parameters:
    ///   - text: the list.
    ///   - source: where it comes from, for messages, which never show a key.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a list without a key, a line that is not
    ///   one, or a name or key that comes twice.
    public init(parsing text: String, source: String) throws {
        var entries: [Entry] = []
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let content = line.trimmingSpaces
            guard !content.isEmpty, !content.hasPrefix("#") else { continue }
            let place = "line \(index + 1) of the API keys in '\(source)'"
            let entry = try APIKeys.entry(content, place: place)
            if let name = entry.name, entries.contains(where: { $0.name == name }) {
                throw ServingError.invalidArgument("The name in \(place) comes twice")
            }
            guard !entries.contains(where: { $0.digest == entry.digest }) else {
                throw ServingError.invalidArgument("The key in \(place) comes twice")
            }
            entries.append(entry)
        }
        guard !entries.isEmpty else {
            throw ServingError.invalidArgument(
                "'\(source)' holds no API key; write one a line, or leave --api-key-file out")
        }
        self.entries = entries
    }

    private static func entry(_ content: Substring, place: String) throws -> Entry {
        let parts = content.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let key = parts[parts.count - 1].trimmingSpaces
        let name = parts.count == 2 ? String(parts[0].trimmingSpaces) : nil
        guard !key.isEmpty, name?.isEmpty != true,
            key.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") })
        else {
            throw ServingError.invalidArgument(
                "There is no key in \(place): write KEY or NAME: KEY, the key of visible ASCII "
                    + "characters without ':'")
        }
        return Entry(name: name, digest: SHA256.hash(data: Array(key.utf8)))
    }

    /// Whether a key is one of these; how long that takes tells nothing of them.
    func accepts(_ key: some StringProtocol) -> Bool { place(of: key) != nil }

    /// Which of these a key is.
    private func place(of key: some StringProtocol) -> Int? {
        let digest = SHA256.hash(data: Array(key.utf8))
        // The library compares digests in constant time, and every one is compared.
        return entries.indices.reduce(nil as Int?) { found, index in
            entries[index].digest == digest ? index : found
        }
    }

    /// Refuses a request that shows none of these keys.
    ///
    /// - Parameter headers: the request's header fields or metadata.
    /// - Returns: whose request it is: the name of the key that it shows, or which of those without
    ///   a name it is.
    /// - Throws: `ServingError` (`UNAUTHENTICATED`).
    @discardableResult
    public func check(_ headers: HeaderFields) throws -> String {
        let shown = APIKeys.keys(in: headers)
        guard !shown.isEmpty else {
            throw ServingError(
                .unauthenticated,
                "An API key is needed: send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
        }
        guard let index = shown.lazy.compactMap({ place(of: $0) }).first else {
            throw ServingError(.unauthenticated, "The API key is not known here")
        }
        return entries[index].name ?? "#\(index + 1)"
    }

    private static func keys(in headers: HeaderFields) -> [Substring] {
        var keys: [Substring] = []
        if let key = headers.first("x-api-key") { keys.append(key[...].trimmingSpaces) }
        if let field = headers.first("authorization") {
            let parts = field[...].trimmingSpaces.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer" {
                keys.append(parts[1].trimmingSpaces)
            }
        }
        return keys
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var rest = self
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}
