internal import Foundation
public import MartletCore
public import MartletTelemetry

/// What a node has to live on: the machine's processors, memory and limits.
public struct MachineFacts: Sendable, Equatable {
    /// What this process may use of the processors.
    public var processors: ProcessorAllowance
    /// The processor's name.
    public var processorModel: String?
    /// What the processor can do, in the kernel's words, such as `avx2`.
    public var processorFlags: Set<String> = []
    /// Bytes of memory.
    public var memory: Int?
    /// Bytes of memory that could be had now.
    public var memoryAvailable: Int?
    /// Bytes of memory that the control group allows; `nil` without a bound.
    public var memoryLimit: Int?
    /// Files and sockets that a process may have open.
    public var openFiles: Int
    /// How the kernel uses huge pages by itself: `always`, `madvise` or `never`.
    public var hugePages: String?
    /// Parts of the machine with memory of their own.
    public var memoryNodes = 1
    /// How the processors' clock is set, such as `performance`.
    public var governor: String?

    /// Creates facts, for tests.
    public init(processors: ProcessorAllowance, openFiles: Int) {
        self.processors = processors
        self.openFiles = openFiles
    }

    /// Looks at the machine.
    ///
    /// - Parameters:
    ///   - files: where the kernel tells of it.
    ///   - openFiles: what a process may have open.
    public init(files: SystemFiles = SystemFiles(), openFiles: Int) {
        self.init(processors: ProcessorAllowance(files: files), openFiles: openFiles)
        let processor = files.text("/proc/cpuinfo") ?? ""
        processorModel = MachineFacts.value("model name", in: processor)
        let flags = MachineFacts.value("flags", in: processor) ?? ""
        processorFlags = Set(flags.split(separator: " ").map(String.init))
        memory = MachineFacts.kibibytes(files.value("MemTotal", in: "/proc/meminfo"))
        memoryAvailable = MachineFacts.kibibytes(files.value("MemAvailable", in: "/proc/meminfo"))
        memoryLimit = ControlGroup(files: files).memoryLimit
        hugePages = files.text("/sys/kernel/mm/transparent_hugepage/enabled")
            .flatMap(MachineFacts.chosen)
        let nodes = files.names(in: "/sys/devices/system/node").filter {
            $0.hasPrefix("node") && Int($0.dropFirst(4)) != nil
        }
        memoryNodes = max(1, nodes.count)
        governor = files.text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
            .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    }

    /// Bytes of memory that there can be for the processes of this control group.
    public var usableMemory: Int? {
        [memory, memoryLimit].compactMap(\.self).min()
    }

    /// The first value of a name, without reading on: there is a block for each processor.
    private static func value(_ name: String, in text: String) -> String? {
        for line in text.split(separator: "\n", maxSplits: 64) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            if line[..<colon].trimmingCharacters(in: .whitespaces) == name {
                return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            }
        }
        return nil
    }

    private static func kibibytes(_ text: String?) -> Int? {
        guard let number = text?.split(separator: " ").first.flatMap({ Int($0) }) else {
            return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1024)
        return overflow ? nil : bytes
    }

    /// The word in brackets, of a list of words.
    private static func chosen(_ text: String) -> String? {
        guard let start = text.firstIndex(of: "["), let end = text.firstIndex(of: "]"), start < end
        else { return nil }
        return String(text[text.index(after: start)..<end])
    }
}

/// A number of bytes for people, such as `1.5 GiB`.
public func byteText(_ bytes: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    let isWhole = unit == 0 || value >= 100
    return (isWhole ? "\(Int(value.rounded()))" : "\((value * 10).rounded() / 10)")
        + " \(units[unit])"
}
