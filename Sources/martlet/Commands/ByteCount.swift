import ArgumentParser
import MartletConfiguration

/// A number of bytes on the command line: `1048576`, `512MiB`, `8GB`.
struct ByteCount: ExpressibleByArgument, Equatable {
    /// The number of bytes, greater than 0.
    let bytes: Int

    /// A number greater than 0.
    init(bytes: Int) {
        self.bytes = max(1, bytes)
    }

    /// How `--help` shows a default, in the greatest unit that divides it.
    var defaultValueDescription: String {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        guard let unit = units.first(where: { bytes.isMultiple(of: $0.0) }) else {
            return "\(bytes)"
        }
        return "\(bytes / unit.0)\(unit.1)"
    }

    init?(argument: String) {
        guard let bytes = ByteCountText.bytes(argument), bytes > 0 else { return nil }
        self.bytes = bytes
    }
}
