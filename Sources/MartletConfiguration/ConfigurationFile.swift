import Foundation

/// Configuration files on disk.
public enum ConfigurationFile {
    /// Reads a file that should be UTF-8 text.
    ///
    /// - Parameters:
    ///   - file: its path, as the user gave it.
    ///   - bytesMax: how long it may be.
    /// - Returns: its text.
    /// - Throws: `ConfigurationError`.
    public static func text(of file: String, bytesMax: Int) throws -> String {
        func problem(_ text: String) -> ConfigurationError {
            ConfigurationError(file: file, problems: [.init(line: nil, text: text)])
        }
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            defer { try? handle.close() }
            data = try handle.read(upToCount: bytesMax + 1) ?? Data()
        } catch {
            throw problem("cannot be read: \(reason(of: error))")
        }
        guard data.count <= bytesMax else { throw problem(tooLarge(bytesMax)) }
        guard let text = String(bytes: data, encoding: .utf8) else {
            throw problem("is not UTF-8 text")
        }
        return text
    }

    /// A path in a file, which is relative to the folder of the file.
    public static func path(_ text: String, relativeTo file: String) -> String {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
        return URL(fileURLWithPath: text, relativeTo: folder).standardizedFileURL.path
    }

    /// Whether there is a file at a path that can be read.
    public static func isReadable(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            && !isDirectory.boolValue && FileManager.default.isReadableFile(atPath: path)
    }

    static func tooLarge(_ bytesMax: Int) -> String {
        "is larger than \(bytesMax) bytes; is it the right file?"
    }

    private static func reason(of error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile: "there is no such file"
        case .fileReadNoPermission: "permission denied"
        default: (error as NSError).localizedDescription
        }
    }
}
