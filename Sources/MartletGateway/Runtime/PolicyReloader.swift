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
    private let nodes: TrafficPolicy.GivenNodes?
    private let policy: GatewayPolicy
    private let didChange: AsyncStream<Void>.Continuation
    private let logger: Logger
    private let interval: Duration
    private let shared: SharedAnswers?
    private let state: Mutex<State>
    private let certificates: UpstreamCertificates

    private struct State {
        /// The text that was taken in, or refused, last.
        var seen: String?
        /// Reloads that began, and the last that was taken in: they may overtake each other.
        var begun = 0
        var taken = 0
        /// The latest whose credentials are being read.
        var latest = 0
    }

    /// What the gateway was started with.
    private let started: TrafficPolicy

    init(
        file: String?, nodes: TrafficPolicy.GivenNodes? = nil, policy: GatewayPolicy,
        didChange: AsyncStream<Void>.Continuation, shared: SharedAnswers? = nil,
        interval: Duration = .seconds(1), logger: Logger
    ) {
        self.file = file
        self.nodes = nodes
        self.policy = policy
        self.didChange = didChange
        self.interval = interval
        self.shared = shared
        self.logger = logger
        started = policy.current.policy
        certificates = UpstreamCertificates(of: policy, logger: logger)
        state = Mutex(State(seen: file.flatMap { PolicyReloader.text(of: $0) }))
    }

    /// Looks again and again whether the file has changed, or certificates that it names, until
    /// shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                if let file, let text = PolicyReloader.text(of: file),
                    state.withLock({ $0.seen != text })
                {
                    _ = try? await reload()
                }
                certificates.look()
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
        let turn = state.withLock { state in
            state.begun += 1
            return state.begun
        }
        let text = PolicyReloader.text(of: file)
        do {
            return try await take(TrafficPolicy.load(file: file, nodes: nodes), text, turn)
        } catch {
            state.withLock { $0.seen = text }
            logger.error(
                "policy is not taken; the one before stays",
                metadata: ["file": "\(file)", "error": "\(error)"])
            throw error
        }
    }

    private func take(
        _ reading: TrafficPolicy.Reading, _ text: String?, _ turn: Int
    ) async throws -> [String] {
        let options = try reading.policy.upstreamOptions()
        state.withLock { $0.latest = max($0.latest, turn) }
        // Else credentials of before could come back after those of one that began later.
        try await policy.access?.reload(reading.policy.access) {
            state.withLock { $0.latest == turn }
        }
        let late = reading.policy.changesThatNeedRestart(from: started)
        // One that began later has read what is newer.
        let isOvertaken = state.withLock { state in
            guard state.taken < turn else { return true }
            state.taken = turn
            state.seen = text
            let rules = GatewayRules(
                reading.policy, after: policy.current, shared: shared, now: policy.now)
            rules.apply(options, to: policy.pools)
            policy.replace(rules)
            return false
        }
        guard !isOvertaken else { return late }
        didChange.yield()
        logger.info(
            "policy read again",
            metadata: [
                "routes": "\(reading.policy.routes.count)",
                "needs_restart": "\(late.joined(separator: ", "))",
            ])
        PolicyReloader.warn(of: reading, logger)
        return late
    }

    /// Logs what is probably not meant.
    static func warn(of reading: TrafficPolicy.Reading, _ logger: Logger) {
        for warning in reading.warnings {
            logger.warning(
                "policy",
                metadata: ["line": "\(warning.line ?? 0)", "hint": "\(warning.text)"])
        }
    }

    private static func text(of file: String) -> String? {
        try? ConfigurationFile.text(of: file, bytesMax: TrafficPolicy.limits.bytes)
    }
}
