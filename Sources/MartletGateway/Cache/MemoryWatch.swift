import MartletTelemetry
import ServiceLifecycle

/// Tells the cache how scarce memory is: then answers live shorter, and room comes from what is
/// old.
struct MemoryWatch: Service {
    private let policy: GatewayPolicy
    private let interval: Duration
    private let pressure: @Sendable () -> Double

    /// Watches for the cache of whatever rules are in force.
    ///
    /// - Parameters:
    ///   - policy: whose cache is told.
    ///   - interval: the pause between two looks; a look reads some small files.
    ///   - pressure: how scarce memory is, from 0 to 1.
    init(
        _ policy: GatewayPolicy, interval: Duration = .seconds(2),
        pressure: @escaping @Sendable () -> Double
    ) {
        self.policy = policy
        self.interval = interval
        self.pressure = pressure
    }

    /// Watches by the kernel's files.
    init(_ policy: GatewayPolicy) {
        let reader = MemoryPressure()
        self.init(policy) { reader.value }
    }

    /// Looks again and again, until shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                look()
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Looks once; nothing is read where there is no cache.
    func look() {
        guard let cache = policy.current.cache else { return }
        cache.memoryPressure = pressure()
    }
}
