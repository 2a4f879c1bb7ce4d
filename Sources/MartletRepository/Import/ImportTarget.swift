import MartletCore

/// The version of a model that files are brought to: `NAME/VERSION/` in the model repository.
///
/// A name is never a path: it has no slash, does not begin with a dot, and is one folder.
public struct ImportTarget: Sendable, Hashable, CustomStringConvertible {
    /// Longest name in bytes.
    public static let nameBytesMax = 128

    /// The model's name.
    public let model: String

    /// The version's number.
    public let version: Int64

    /// Checks a name and a number.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a name that is no plain one, and for a
    ///   version below 1.
    public init(model: String, version: Int64) throws {
        guard let first = model.unicodeScalars.first, model.utf8.count <= Self.nameBytesMax,
            Self.isNameLetter(first), !".-_".unicodeScalars.contains(first),
            model.unicodeScalars.allSatisfy(Self.isNameLetter)
        else {
            throw ServingError.invalidArgument(
                "'\(model.shown)' cannot name a model: a name has 1 to \(Self.nameBytesMax) "
                    + "letters, digits, '.', '_' and '-', and begins with a letter or digit")
        }
        guard version > 0 else {
            throw ServingError.invalidArgument("Version \(version) is not a number from 1 on")
        }
        self.model = model
        self.version = version
    }

    /// The number after the highest version that a repository has of a model; 1 without any.
    ///
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for a name that is no plain one,
    ///   `RESOURCE_EXHAUSTED` after the highest number there is.
    public static func nextVersion(of model: String, in root: String) throws -> Int64 {
        let model = try ImportTarget(model: model, version: 1).model
        let directory = ModelDirectory(model: model, path: "\(root)/\(model)")
        guard let highest = try? directory.versions().last?.number else { return 1 }
        let (next, overflows) = highest.addingReportingOverflow(1)
        guard !overflows else {
            throw ServingError(
                .resourceExhausted, "Model \(model) has version \(highest), which is the highest")
        }
        return next
    }

    /// The version's folder, from the repository on.
    public var description: String { "\(model)/\(version)" }

    static func isNameLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "0"..."9", "A"..."Z", "a"..."z", ".", "_", "-": true
        default: false
        }
    }
}
