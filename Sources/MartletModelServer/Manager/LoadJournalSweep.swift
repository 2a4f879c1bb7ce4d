import Foundation
import MartletRepository

/// Removes what a journal's folder holds for files that are there no more, and what processes left
/// that died long ago.
///
/// Other processes may use the folder meanwhile: what one of them holds the lock of stays. One that
/// does not see a model's folder takes its files for gone; then that they were loaded is forgotten,
/// and all that comes of it is that the next loads of them take turns.
struct LoadJournalSweep {
    /// Longest path of a version's folder.
    private static let pathBytesMax = 4096
    /// Digits of a version's digest.
    private static let keyDigits = 32

    let folder: String
    /// How long the end of a process counts.
    let memory: Duration

    /// Looks at each file of the folder once; those of other makers stay.
    func run() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            let path = "\(folder)/\(name)"
            if name.hasPrefix("."), UUID(uuidString: String(name.dropFirst())) != nil {
                removeOld(path)
                continue
            }
            let (key, ending) = (name.prefix(Self.keyDigits), name.dropFirst(Self.keyDigits))
            guard key.count == Self.keyDigits, key.allSatisfy(\.isHexDigit) else { continue }
            if ending == LoadMarkFiles.Ending.turn {
                LoadMark.hold(shared: path)?.end()
            } else if ending == LoadMarkFiles.Ending.good {
                if !isOfFilesThatAre(path, key: String(key)) { unlink(path) }
            } else if ending.hasPrefix(LoadMarkFiles.Ending.load) {
                removeOld(path)
            }
        }
    }

    private func removeOld(_ path: String) {
        if let age = LoadMark.age(ofUnheld: path), age >= memory { unlink(path) }
    }

    /// Whether the files that were loaded are there as they were.
    private func isOfFilesThatAre(_ path: String, key: String) -> Bool {
        guard let file = FileHandle(forReadingAtPath: path),
            let content = try? file.read(upToCount: Self.pathBytesMax), !content.isEmpty
        else { return false }
        let version = String(decoding: content, as: UTF8.self)
        return ModelDirectory.Version(number: 0, path: version).digest == key
    }
}
