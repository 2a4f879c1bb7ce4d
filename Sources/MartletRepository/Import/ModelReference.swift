import MartletCore

/// What `martlet model pull` is asked to bring.
public enum ModelReference: Sendable, Hashable {
    /// A file of this machine.
    case file(path: String)
    /// A file on a web server.
    case url(ModelURL)
    /// A package of Python's package index that holds a model; the newest without a version.
    case package(name: String, version: String?)

    /// Tells the three apart: an address has `://`; a file has a slash or ends with `.gguf` or
    /// `.whl`; anything else is a package, `NAME` or `NAME==VERSION`.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for what is none of them.
    public init(_ text: String) throws {
        guard !text.isEmpty, !text.utf8.contains(0) else {
            throw ServingError.invalidArgument("A model to pull has no name")
        }
        if text.contains("://") {
            self = .url(try ModelURL(text))
        } else if text.contains("/") || text.hasSuffix(".gguf") || text.hasSuffix(".whl") {
            self = .file(path: text)
        } else {
            self = try ModelReference.parsed(package: text)
        }
    }

    private static func parsed(package text: String) throws -> ModelReference {
        let name = text.prefix { $0 != "=" }
        let rest = text.dropFirst(name.count)
        let version = rest.isEmpty ? nil : String(rest.dropFirst(2))
        guard PackageName.isSound(name), rest.isEmpty || rest.hasPrefix("=="),
            version.map(PackageName.isSoundVersion) ?? true
        else {
            throw ServingError.invalidArgument(
                "'\(text.shown)' is neither an address (https://...), a file (./NAME.gguf) nor a "
                    + "package (NAME or NAME==VERSION)")
        }
        return .package(name: String(name), version: version)
    }

    /// The name that the model gets where none is asked for: that of the file or package.
    public var suggestedName: String {
        let name =
            switch self {
            case .file(let path): path.split(separator: "/").last.map(String.init) ?? ""
            case .url(let url): url.fileName
            case .package(let name, _): name
            }
        let stem = GGUFPartName(name)?.stem ?? ModelReference.withoutSuffix(name)
        let letters = stem.unicodeScalars.map { scalar in
            ImportTarget.isNameLetter(scalar) ? Character(scalar) : "-"
        }
        let start = letters.drop { !($0.isLetter || $0.isNumber) }
        return String(start.prefix(ImportTarget.nameBytesMax))
    }

    private static func withoutSuffix(_ name: String) -> String {
        for suffix in [".gguf", ".whl"] where name.hasSuffix(suffix) {
            return String(name.dropLast(suffix.count))
        }
        return name
    }
}

/// Names and versions of Python packages, as far as they are written into addresses.
enum PackageName {
    private static let bytesMax = 128

    /// Whether it is a name by PEP 508: letters, digits and `.`, `_`, `-` between them.
    static func isSound(_ name: some StringProtocol) -> Bool {
        guard let first = name.utf8.first, let last = name.utf8.reversed().first,
            name.utf8.count <= bytesMax
        else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && name.utf8.allSatisfy { isAlphanumeric($0) || [0x2D, 0x2E, 0x5F].contains($0) }
    }

    /// Whether it can be a version by PEP 440.
    static func isSoundVersion(_ version: some StringProtocol) -> Bool {
        guard let first = version.utf8.first, version.utf8.count <= bytesMax else { return false }
        return isAlphanumeric(first)
            && version.utf8.allSatisfy {
                isAlphanumeric($0) || [0x21, 0x2B, 0x2D, 0x2E, 0x5F].contains($0)
            }
    }

    /// The form that the index compares: lower case, runs of `.`, `_`, `-` as one `-` (PEP 503).
    static func normal(_ name: some StringProtocol) -> String {
        name.lowercased().split { "-_.".contains($0) }.joined(separator: "-")
    }

    private static func isAlphanumeric(_ letter: UInt8) -> Bool {
        switch letter {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }
}
