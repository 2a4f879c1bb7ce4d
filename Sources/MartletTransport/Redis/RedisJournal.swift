import Logging
import Synchronization

/// Logs that a server came or went, once for all event loops.
final class RedisJournal: Sendable {
    private let logger: Logger
    private let lost = Mutex<Set<RedisAddress>>([])

    init(_ logger: Logger) { self.logger = logger }

    /// A server is left alone for a while.
    func lost(_ server: RedisAddress, _ failure: RedisFailure) {
        guard lost.withLock({ $0.insert(server).inserted }) else { return }
        logger.warning(
            "Redis does not serve", metadata: ["server": "\(server)", "cause": "\(failure)"])
    }

    /// A server is ready for commands.
    func found(_ server: RedisAddress) {
        guard lost.withLock({ $0.remove(server) }) != nil else { return }
        logger.info("Redis serves again", metadata: ["server": "\(server)"])
    }
}
