internal import Logging
import MartletCore
import MartletTransport
internal import ServiceLifecycle
import Synchronization

/// Shares quotas with other gateways through Redis, in the background: no request waits for it.
///
/// While Redis does not serve, each gateway goes by its own buckets.
final class QuotaSharing: Service {
    /// Sends a command within a time of its own.
    typealias Send = @Sendable (RedisCommand) async throws -> RedisReply

    private let control: AccessControl
    private let script: QuotaScript
    private let clock: @Sendable () -> Duration
    private let send: Send
    private let logger: Logger
    private let state = Mutex(QuotaSharingState())

    /// Shares quotas when it runs.
    ///
    /// - Parameters:
    ///   - control: whose quotas are shared, as its limits say.
    ///   - gateway: the name of this gateway among the others, of letters and digits.
    ///   - clock: the time that requests are admitted by.
    ///   - send: asks Redis.
    ///   - logger: is told when quotas are no longer shared, and when they are again.
    init(
        _ control: AccessControl, gateway: String, clock: @escaping @Sendable () -> Duration,
        send: @escaping Send, logger: Logger
    ) {
        self.control = control
        script = QuotaScript(
            gateway: gateway, configuration: control.sharing ?? QuotaExchange.Configuration())
        self.clock = clock
        self.send = send
        self.logger = logger
    }

    /// Exchanges again and again, until shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: script.configuration.interval)
                await exchange()
            }
        }
    }

    /// Tells of what was used, and takes in what others did.
    func exchange() async {
        var reports: [QuotaReport] = []
        while reports.count < script.configuration.roundMax {
            let batch = control.quotaReports(now: clock())
            guard !batch.isEmpty else { break }
            reports += batch
        }
        guard !reports.isEmpty else { return }
        let failure = await withTaskGroup(of: String?.self) { group in
            for report in reports { group.addTask { await self.exchange(report) } }
            return await group.reduce(nil) { $0 ?? $1 }
        }
        note(failure)
    }

    /// Tells of one quota; why that failed, if it did.
    private func exchange(_ report: QuotaReport) async -> String? {
        var standing: QuotaStanding?
        var failure: String?
        do {
            standing = script.standing(try await send(script.command(report)))
            if standing == nil { failure = "Redis gave an answer that is none" }
        } catch {
            failure = "\(error)"
        }
        control.settle(report, standing, now: clock())
        return failure
    }

    private func note(_ failure: String?) {
        let now = clock()
        switch state.withLock({ $0.note(isFailure: failure != nil, now: now) }) {
        case .shared?: logger.info("Quotas are shared with other gateways")
        case .alone?:
            logger.warning(
                "Quotas are this gateway's own, as Redis does not serve",
                metadata: ["cause": "\(failure ?? "")"])
        case nil: break
        }
    }
}

extension QuotaSharing {
    /// Shares the quotas of a gateway, under a name that is made up.
    convenience init(_ control: AccessControl, of policy: GatewayPolicy, through redis: RedisClient)
    {
        let number = UInt64.random(in: .min ... .max)
        self.init(
            control, gateway: String(number, radix: 16), clock: { policy.now },
            send: { try await redis.send($0) }, logger: policy.logger)
    }
}

/// Whether quotas are shared, as logs tell.
struct QuotaSharingState: Sendable {
    enum Change: Sendable, Hashable {
        /// They are.
        case shared
        /// They are not.
        case alone
    }

    /// How long nothing may fail before quotas count as shared again (1 s): where some servers of a
    /// cluster fail, logs are not filled by turns.
    private static let calm: Duration = .seconds(1)

    private var isShared: Bool?
    private var failedAt: Duration?

    /// Takes note of an exchange; what has changed, if anything.
    mutating func note(isFailure: Bool, now: Duration) -> Change? {
        if isFailure { failedAt = now }
        let isCalm = failedAt.map { now - $0 >= QuotaSharingState.calm } ?? true
        guard isFailure || isCalm, isShared != !isFailure else { return nil }
        isShared = !isFailure
        return isFailure ? .alone : .shared
    }
}
