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

    init?(argument: String) {
        guard let bytes = ByteCountText.bytes(argument), bytes > 0 else { return nil }
        self.bytes = bytes
    }
}
