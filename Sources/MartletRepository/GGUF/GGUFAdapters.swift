import MartletCore

/// The LoRA adapters that lie beside a GGUF model, in the folder `adapters` of its version: each is
/// a file `NAME.gguf`, and `NAME` is what clients ask for.
public struct GGUFAdapters: Sendable {
    /// The folder's name.
    public static let folderName = "adapters"

    /// The path of each adapter, by its name.
    public let paths: [String: String]

    /// The names of the adapters of a version, without a look into their files.
    ///
    /// - Parameter folder: the folder of the version.
    /// - Returns: the names, in no order; none where the folder cannot be listed.
    public static func names(folder: String) -> [String] {
        GGUFModelFiles.names(in: "\(folder)/\(folderName)")
            .map { String($0.dropLast(GGUFModelFiles.suffix.count)) }
    }

    /// Looks for the adapters of a version.
    ///
    /// - Parameters:
    ///   - folder: the folder of the version.
    ///   - limits: bounds on their headers.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for a file that is no adapter, `DATA_LOSS` for
    ///   one that is cut off.
    public init(folder: String, limits: GGUFLimits = GGUFLimits()) throws {
        let folder = "\(folder)/\(GGUFAdapters.folderName)"
        var paths: [String: String] = [:]
        for name in GGUFModelFiles.names(in: folder) {
            let path = "\(folder)/\(name)"
            try GGUFAdapters.check(path, limits: limits)
            paths[String(name.dropLast(GGUFModelFiles.suffix.count))] = path
        }
        self.paths = paths
    }

    /// Refuses before native code sees it what its header shows to be wrong.
    private static func check(_ path: String, limits: GGUFLimits) throws {
        do {
            try GGUFAdapterCheck(GGUFParts([path], limits: limits)).run()
        } catch let fault as GGUFFault {
            throw fault.error(of: path)
        }
    }
}
