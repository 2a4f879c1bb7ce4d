internal import Foundation
import MartletCore

/// What lies directly in a folder.
///
/// Thousands of models are looked at every second: a folder costs no more calls of the system than
/// it must, since most systems tell with a name whether it is a folder's.
struct FolderListing {
    /// Names but `.` and `..`, sorted; whether each is a folder, or a link to one.
    let entries: [(name: String, isFolder: Bool)]

    /// Lists a folder.
    ///
    /// - Throws: `POSIXError` where the system refuses.
    init(path: String) throws {
        guard let folder = opendir(path) else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
        defer { closedir(folder) }
        var entries: [(name: String, isFolder: Bool)] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            let isFolder =
                switch Int(entry.pointee.d_type) {
                case Int(DT_DIR): true
                case Int(DT_LNK), Int(DT_UNKNOWN): FileTree(path: "\(path)/\(name)").isFolder
                default: false
                }
            entries.append((name, isFolder))
        }
        self.entries = entries.sorted { $0.name < $1.name }
    }
}
