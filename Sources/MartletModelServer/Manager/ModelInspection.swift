import MartletCore
public import MartletEngines
import MartletRepository
import MartletTensors

/// What a node would load of a model, read from its files and checked, without an engine.
public struct ModelInspection: Sendable {
    /// A version that would be loaded.
    public struct Version: Sendable {
        /// Its number.
        public let number: Int64
        /// What its folder holds.
        public let format: ModelFormat
        /// The names of its signatures, sorted.
        public let signatures: [String]
        /// Bytes of all its files.
        public let fileBytes: Int
        /// The files of a language model; `nil` for any other.
        public let language: LanguageModelFiles?
    }

    /// The versions, in ascending order.
    public let versions: [Version]

    /// Looks at a model's folder.
    ///
    /// - Parameters:
    ///   - configuration: the model.
    ///   - options: how versions are loaded.
    /// - Throws: `ServingError` that says what keeps the model, or one of the versions, from being
    ///   served.
    public init(_ configuration: ModelConfiguration, options: VersionLoader.Options) throws {
        let directory = ModelDirectory(model: configuration.name, path: configuration.basePath)
        let found = try directory.versions()
        let wanted = configuration.versionPolicy.aspired(of: found.map(\.number))
        versions = try found.filter { wanted.contains($0.number) }.map { version in
            let description = try VersionDescription(folder: version.path, options: options)
            return Version(
                number: version.number, format: description.format,
                signatures: description.signatures.map(\.name).sorted(),
                fileBytes: description.fileBytes, language: description.language)
        }
        guard !versions.isEmpty else {
            throw ServingError.notFound(
                found.isEmpty
                    ? "\(configuration.basePath) holds no version: a folder whose name is a number"
                    : "none of the versions in \(configuration.basePath) is one that is wanted")
        }
    }
}
