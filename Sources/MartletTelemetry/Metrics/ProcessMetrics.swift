#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The `process_*` metrics every Prometheus client exports, read from `/proc` at each scrape.
public enum ProcessMetrics {
    /// Processor time this process has used, all threads together.
    public static func cpuNanoseconds() -> UInt64 {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return 0 }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// The number of this process.
    static var processID: Int32 { getpid() }

    /// Registers the metrics; outside Linux only the processor time.
    public static func register(in registry: MetricsRegistry) {
        registry.collector(
            "process_cpu_seconds_total",
            help: "Total user and system CPU time spent in seconds.", kind: .counter
        ) { $0.add(Double(cpuNanoseconds()) / 1_000_000_000) }
        #if os(Linux)
            registerStatistics(in: registry)
            registerDescriptors(in: registry)
        #endif
    }

    #if os(Linux)
        private static func registerStatistics(in registry: MetricsRegistry) {
            let pageBytes = Double(sysconf(Int32(_SC_PAGESIZE)))
            registry.collector(
                "process_resident_memory_bytes", help: "Resident memory size in bytes."
            ) { samples in
                guard let now = ProcessStatistics.current() else { return }
                samples.add(Double(now.residentPages) * pageBytes)
            }
            registry.collector(
                "process_virtual_memory_bytes", help: "Virtual memory size in bytes."
            ) { samples in
                guard let now = ProcessStatistics.current() else { return }
                samples.add(Double(now.virtualBytes))
            }
            registry.collector(
                "process_threads", help: "Number of operating system threads in the process."
            ) { samples in
                guard let now = ProcessStatistics.current() else { return }
                samples.add(Double(now.threads))
            }
            if let start = startTimeSeconds() {
                registry.collector(
                    "process_start_time_seconds",
                    help: "Start time of the process since the Unix epoch in seconds."
                ) { $0.add(start) }
            }
        }

        private static func registerDescriptors(in registry: MetricsRegistry) {
            registry.collector(
                "process_open_fds", help: "Number of open file descriptors."
            ) { samples in
                guard let count = openDescriptors() else { return }
                samples.add(Double(count))
            }
            registry.collector(
                "process_max_fds", help: "Maximum number of open file descriptors."
            ) { samples in
                var limit = rlimit()
                guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
                    return
                }
                samples.add(Double(limit.rlim_cur))
            }
        }

        /// Worked out once: the kernel gives the start in ticks since boot.
        private static func startTimeSeconds() -> Double? {
            let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
            guard ticksPerSecond > 0, let now = ProcessStatistics.current(),
                let uptimeText = readSmallFile("/proc/uptime")?.split(separator: " ").first,
                let uptimeSeconds = Double(uptimeText)
            else { return nil }
            let nowSeconds = Double(LogClock.system.now()) / 1_000_000_000
            let ageSeconds = uptimeSeconds - Double(now.startTicks) / ticksPerSecond
            return ((nowSeconds - ageSeconds) * 100).rounded() / 100
        }

        private static func openDescriptors() -> Int? {
            guard let directory = opendir("/proc/self/fd") else { return nil }
            defer { _ = closedir(directory) }
            var count = 0
            while readdir(directory) != nil { count += 1 }
            // ".", ".." and the descriptor of this very listing.
            return max(0, count - 3)
        }
    #endif
}
