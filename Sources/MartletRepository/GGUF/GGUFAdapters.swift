import MartletCore

/// The LoRA adapters that lie beside a GGUF model, in the folder `adapters` of its version: each is
/// a file `NAME.gguf`, and `NAME` is what clients ask for.
public struct GGUFAdapters: Sendable {
    /// The folder's name.
    public static let folderName = "adapters"

    /// The path of each adapter, by its name.
    public let paths: [String: String]

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
            let parts = try GGUFParts([path], limits: limits)
            let kind = try parts.metadata.text("general.type") ?? ""
            guard kind == "adapter" else {
                throw GGUFFault.unsound("it is of type '\(kind.shown)', not an adapter")
            }
        } catch let fault as GGUFFault {
            throw fault.error(of: path)
        }
    }
}
