import Foundation
import MartletConfiguration
import MartletCore
import MartletTelemetry

extension ClusterConfiguration {
    /// Longest file that is read, in bytes.
    static let maximumBytes = 1 << 20

    /// Reads a file.
    ///
    /// - Parameter file: its path, as the user gave it.
    /// - Returns: its content, checked, with absolute paths.
    /// - Throws: `ConfigurationError`.
    static func load(file: String) throws -> ClusterConfiguration {
        let text = try ConfigurationFile.text(of: file, bytesMax: maximumBytes)
        return try parse(text, file: file, processors: ProcessorAllowance.ofProcess.cores)
    }

    /// Reads the text of a file.
    ///
    /// - Parameters:
    ///   - text: the YAML.
    ///   - file: where it came from; relative paths are relative to its folder.
    ///   - processors: how many there are to share out.
    ///   - isFolder: whether there is a folder at a path.
    ///   - isReadable: whether there is a file at a path that can be read.
    /// - Returns: its content, checked, with absolute paths.
    /// - Throws: `ConfigurationError`.
    static func parse(
        _ text: String, file: String, processors: Int,
        isFolder: @escaping (String) -> Bool = folderExists,
        isReadable: @escaping (String) -> Bool = ConfigurationFile.isReadable
    ) throws -> ClusterConfiguration {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
        var reader = ClusterConfigurationReader(
            folder: folder, processors: processors, isFolder: isFolder, isReadable: isReadable)
        var limits = ConfigurationDocument.Limits()
        limits.bytes = maximumBytes
        let value = try ConfigurationDocument.parse(text, file: file, limits: limits)
        let configuration = reader.cluster(value)
        try reader.problems.check(file: file)
        return configuration
    }

    /// Whether there is a folder at a path.
    static func folderExists(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            && isDirectory.boolValue
    }
}
