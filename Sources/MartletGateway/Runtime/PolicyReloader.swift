internal import Logging
import MartletConfiguration
import MartletCore
import MartletTransport
internal import ServiceLifecycle
import Synchronization

/// Lets the gateway go by its file again when that has changed, or somebody says so.
///
/// A file with a mistake changes nothing.
final class PolicyReloader: Service {
    private let file: String?
    private let policy: GatewayPolicy
    private let didChange: AsyncStream<Void>.Continuation
    private let logger: Logger
    private let interval: Duration
    private let shared: SharedAnswers?
    /// The text that was looked at last.
    private let seen: Mutex<String?>

    init(
        file: String?, policy: GatewayPolicy, didChange: AsyncStream<Void>.Continuation,
        shared: SharedAnswers? = nil, interval: Duration = .seconds(1), logger: Logger
    ) {
        self.file = file
        self.policy = policy
        self.didChange = didChange
        self.interval = interval
        self.shared = shared
        self.logger = logger
        seen = Mutex(file.flatMap { PolicyReloader.text(of: $0) })
    }

    /// Looks again and again whether the file has changed, until shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                guard let file, let text = PolicyReloader.text(of: file) else { continue }
                let isNew = seen.withLock { seen in
                    defer { seen = text }
                    return seen != text
                }
                if isNew { _ = try? await reload() }
            }
        }
    }

    /// Reads the file and lets new requests go by it.
    ///
    /// - Returns: keys whose change needs a restart.
    /// - Throws: `ConfigurationError` or `ServingError`, after which all is as it was.
    @discardableResult
    func reload() async throws -> [String] {
        guard let file else {
            throw ServingError(
                .failedPrecondition, "This gateway was started without --config FILE")
        }
        do {
            let reading = try TrafficPolicy.load(file: file)
            try reading.policy.checkSupport()
            let earlier = policy.current
            let encryption = try reading.policy.upstreamEncryption()
            try await policy.access?.reload(reading.policy.access)
            policy.pools?.setEncryption(encryption)
            policy.replace(
                GatewayRules(
                    reading.policy, after: earlier, shared: shared, now: policy.now))
            didChange.yield()
            let late = reading.policy.changesThatNeedRestart(from: earlier.policy)
            logger.info(
                "policy read again",
                metadata: [
                    "file": "\(file)", "routes": "\(reading.policy.routes.count)",
                    "needs_restart": "\(late.joined(separator: ", "))",
                ])
            PolicyReloader.warn(of: reading, logger)
            return late
        } catch {
            logger.error(
                "policy is not taken; the one before stays",
                metadata: ["file": "\(file)", "error": "\(error)"])
            throw error
        }
    }

    /// Logs what is probably not meant, or not done yet.
    static func warn(of reading: TrafficPolicy.Reading, _ logger: Logger) {
        for warning in reading.warnings {
            logger.warning(
                "policy",
                metadata: ["line": "\(warning.line ?? 0)", "hint": "\(warning.text)"])
        }
        for key in reading.policy.keysWithoutEffect {
            logger.warning("this key of the policy has no effect yet", metadata: ["key": "\(key)"])
        }
    }

    private static func text(of file: String) -> String? {
        try? ConfigurationFile.text(of: file, bytesMax: TrafficPolicy.limits.bytes)
    }
}
