/// How scarce memory is to this process, as a figure from 0 to 1.
///
/// The greatest of three counts: how full the machine is, how full the control group is, and how
/// long tasks have had to wait for memory (the kernel's pressure stall information; Weiner, 2018).
/// The first two tell before it hurts, the last one that it does. What a kernel does not tell
/// counts as none.
public struct MemoryPressure: Sendable {
    /// Where pressure begins, and where it is greatest.
    public struct Thresholds: Sendable, Equatable {
        /// Of memory in use, as a part of what there is (default 0.8 to 0.95).
        public var fullness = 0.8...0.95
        /// Of the time in which some task waits for memory (default 0.01 to 0.1).
        public var stall = 0.01...0.1

        /// The defaults.
        public init() {}
    }

    private let files: SystemFiles
    private let group: ControlGroup
    private let thresholds: Thresholds

    /// Reads the kernel's files; tests give a folder that stands for `/`.
    public init(files: SystemFiles = SystemFiles(), thresholds: Thresholds = Thresholds()) {
        self.files = files
        self.thresholds = thresholds
        group = ControlGroup(files: files)
    }

    /// The figure now, from 0 to 1; reads some small files.
    public var value: Double {
        let fullness = [machineFullness, group.memoryFullness].compactMap(\.self)
            .map { MemoryPressure.share($0, of: thresholds.fullness) }
        let stalls = [machineStall, group.memoryStall].compactMap(\.self)
            .map { MemoryPressure.share($0, of: thresholds.stall) }
        return (fullness + stalls).max() ?? 0
    }

    private var machineFullness: Double? {
        guard let text = files.text("/proc/meminfo"),
            let total = MemoryPressure.kibibytes("MemTotal", in: text), total > 0,
            let available = MemoryPressure.kibibytes("MemAvailable", in: text)
        else { return nil }
        return 1 - min(max(available / total, 0), 1)
    }

    private var machineStall: Double? {
        files.text("/proc/pressure/memory").flatMap(MemoryPressure.stall(in:))
    }

    private static func kibibytes(_ name: String, in text: String) -> Double? {
        SystemFiles.value(name, in: text)?.split(separator: " ").first.flatMap { Double($0) }
    }

    /// The `avg10` of the line `some`, which is in percent, as a part; nil for what has none.
    static func stall(in text: String) -> Double? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("some ") }
        let field = line?.split(separator: " ").first { $0.hasPrefix("avg10=") }
        return field.flatMap { Double($0.dropFirst(6)) }.map { min(max($0 / 100, 0), 1) }
    }

    private static func share(_ figure: Double, of range: ClosedRange<Double>) -> Double {
        let width = max(range.upperBound - range.lowerBound, 0.001)
        return min(max((figure - range.lowerBound) / width, 0), 1)
    }
}
