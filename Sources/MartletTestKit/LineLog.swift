public import Logging
internal import Synchronization

/// Keeps the messages that are logged, without what comes with them.
public final class LineLog: Sendable {
    private struct Handler: LogHandler {
        let log: LineLog
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.messages.withLock { $0.append("\(event.message)") }
        }
    }

    private let level: Logger.Level
    private let messages = Mutex<[String]>([])

    /// Creates a log of messages of a level and those above it.
    public init(level: Logger.Level = .info) {
        self.level = level
    }

    /// The messages so far.
    public var lines: [String] { messages.withLock { $0 } }

    /// What logs into it.
    public var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self, logLevel: level) }
    }
}
