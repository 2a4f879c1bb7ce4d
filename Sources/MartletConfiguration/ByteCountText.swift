/// A number of bytes as people write it: `1048576`, `512MiB`, `8GB`.
public enum ByteCountText {
    static let units: [(suffix: String, factor: Int)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
        ("kB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("B", 1),
    ]

    /// The bytes that a text stands for; nil if it is none, below 0 or too large.
    public static func bytes(_ text: String) -> Int? {
        let unit = units.first { text.hasSuffix($0.suffix) }
        let digits = text.dropLast(unit?.suffix.count ?? 0)
        guard let number = Int(digits), number >= 0 else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit?.factor ?? 1)
        return overflow ? nil : bytes
    }

    /// Bytes in the largest unit of powers of two that leaves a whole number.
    static func written(_ bytes: Int) -> String {
        let unit = units.filter { $0.suffix.hasSuffix("iB") && bytes > 0 }
            .last { bytes % $0.factor == 0 }
        return unit.map { "\(bytes / $0.factor)\($0.suffix)" } ?? "\(bytes)"
    }
}
