import Foundation
public import Logging

/// A swift-log handler that writes lines to a ``LogOutput``.
public struct MartletLogHandler: LogHandler {
    /// Keys of a JSON line that metadata must not repeat.
    private static let reservedKeys: Set<String> = ["ts", "level", "logger", "msg"]

    /// Added to every line of this logger.
    public var metadata: Logger.Metadata = [:]
    /// Lines below this level are not written.
    public var logLevel: Logger.Level
    /// Gives metadata of the task at hand.
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let output: LogOutput

    /// Makes a handler.
    ///
    /// - Parameters:
    ///   - label: the logger's name.
    ///   - output: where lines go, and how they look.
    ///   - level: lines below it are not written.
    ///   - metadataProvider: gives metadata of the task at hand.
    public init(
        label: String, output: LogOutput, level: Logger.Level = .info,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.label = label
        self.output = output
        self.logLevel = level
        self.metadataProvider = metadataProvider
    }

    /// Gets or sets one metadata value of this logger.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line: the logger's metadata, the provider's and the event's, later ones winning.
    public func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() {
            fields.merge(provided) { _, provided in provided }
        }
        if let given = event.metadata { fields.merge(given) { _, given in given } }
        if let error = event.error { fields["error"] = "\(error)" }
        var line = LogLine(
            style: output.style, instantNanoseconds: output.clock.now(), level: event.level,
            label: label, message: event.message.description)
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            let isReserved = output.style.isJSON && Self.reservedKeys.contains(key)
            line.append(isReserved ? "metadata.\(key)" : key, metadata: value)
        }
        output.append(line.finished())
    }
}

/// Makes swift-log write through Martlet's handler to standard error; call it once, first thing.
///
/// - Parameters:
///   - format: how lines look.
///   - level: lines below it are not written.
/// - Returns: the output, for an access log and to flush at shutdown.
public func bootstrapLogging(format: LogFormat, level: Logger.Level) -> LogOutput {
    // A copy: while an engine opens, what it prints to standard error is caught, and lines of ours
    // must not be among it.
    let copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
    let output = LogOutput(fileDescriptor: copy < 0 ? STDERR_FILENO : copy, format: format)
    LoggingSystem.bootstrap(
        { label, provider in
            MartletLogHandler(
                label: label, output: output, level: level, metadataProvider: provider)
        }, metadataProvider: nil)
    return output
}
