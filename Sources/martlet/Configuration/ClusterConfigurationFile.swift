import Foundation
import MartletCore
import MartletTelemetry
import Yams

extension ClusterConfiguration {
    /// Longest file that is read, in bytes.
    static let maximumBytes = 1 << 20

    /// Reads a file.
    ///
    /// - Parameter file: its path, as the user gave it.
    /// - Returns: its content, checked, with absolute paths.
    /// - Throws: `ConfigurationError`.
    static func load(file: String) throws -> ClusterConfiguration {
        func problem(_ text: String) -> ConfigurationError {
            ConfigurationError(file: file, problems: [.init(line: nil, text: text)])
        }
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            defer { try? handle.close() }
            data = try handle.read(upToCount: maximumBytes + 1) ?? Data()
        } catch {
            throw problem("cannot be read: \(reason(of: error))")
        }
        guard data.count <= maximumBytes else {
            throw problem("is larger than \(maximumBytes) bytes; is it the right file?")
        }
        guard let text = String(bytes: data, encoding: .utf8) else {
            throw problem("is not UTF-8 text")
        }
        return try parse(text, file: file, processors: ProcessorAllowance.ofProcess.cores)
    }

    /// Reads the text of a file.
    ///
    /// - Parameters:
    ///   - text: the YAML.
    ///   - file: where it came from; relative paths are relative to its folder.
    ///   - processors: how many there are to share out.
    ///   - isFolder: whether there is a folder at a path.
    /// - Returns: its content, checked, with absolute paths.
    /// - Throws: `ConfigurationError`.
    static func parse(
        _ text: String, file: String, processors: Int,
        isFolder: @escaping (String) -> Bool = folderExists
    ) throws -> ClusterConfiguration {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw ConfigurationError(file: file, problems: [error.problem])
        }
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
        var reader = ClusterConfigurationReader(
            folder: folder, processors: processors, isFolder: isFolder)
        let node = root ?? Node([(Node, Node)]())
        let value = ConfigurationValue(keyPath: "", line: node.mark?.line ?? 1, node: node)
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

    private static func reason(of error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile: "there is no such file"
        case .fileReadNoPermission: "permission denied"
        default: (error as NSError).localizedDescription
        }
    }
}

extension YamlError {
    /// What is wrong with the YAML itself.
    fileprivate var problem: ConfigurationError.Problem {
        switch self {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            .init(line: mark.line, text: "is not YAML: \(problem)")
        case .reader(let problem, let offset, _, let yaml):
            .init(
                line: offset.map { yaml.prefix($0).count { $0.isNewline } + 1 },
                text: "is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            .init(
                line: context.mark.line,
                text: keys.map { "'\($0)'" }.joined(separator: ", ")
                    + " stands here more than once; remove one of them")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            .init(line: nil, text: "is not YAML: \(self)")
        }
    }
}
