internal import CStandardError
import Dispatch
import Foundation
import Logging

/// Makes log lines of what native code prints to standard error, so that a log of JSON holds
/// nothing but JSON.
///
/// Nobody who prints waits for the log's file. When the process crashes, it lives on for up to a
/// quarter of a second, until the last words are written. There is one of it in a process.
public final class StandardErrorRelay: Sendable {
    /// Waiting for a file that takes nothing must not hold up those who print.
    private static let flushSeconds = 0.05

    private let output: LogOutput
    private let logger: Logger
    private let ended = DispatchSemaphore(value: 0)

    /// Starts it where log lines are JSON; text needs none.
    ///
    /// - Parameter output: where log lines go, made by ``bootstrapLogging(format:level:)``.
    /// - Returns: `nil` for text, and when standard error cannot be led elsewhere.
    public static func start(for output: LogOutput) -> StandardErrorRelay? {
        guard let original = output.fileDescriptorOfItsOwn, output.style.isJSON,
            martlet_standard_error_redirect(original) == 0
        else { return nil }
        let relay = StandardErrorRelay(output: output)
        let thread = Thread { relay.run() }
        thread.name = "martlet-stderr"
        thread.stackSize = 512 * 1024
        thread.start()
        return relay
    }

    private init(output: LogOutput) {
        self.output = output
        logger = Logger(label: "martlet.engine")
    }

    /// Makes standard error what it was, once all that was printed is written.
    public func stop() {
        martlet_standard_error_restore()
        // Its end is not certain: another process may have inherited standard error.
        if ended.wait(timeout: .now() + 1) == .success { ended.signal() }
    }

    private func run() {
        var lines = ForeignLines()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = martlet_standard_error_read(&buffer, buffer.count)
            guard count > 0 else { break }
            log(lines.append(buffer[..<count]))
            output.flush(timeoutSeconds: Self.flushSeconds)
            martlet_standard_error_written()
        }
        log(lines.finish())
        output.flush(timeoutSeconds: Self.flushSeconds)
        ended.signal()
    }

    private func log(_ lines: [String]) {
        for line in lines {
            logger.log(
                level: ForeignLines.level(of: line), "engine printed",
                metadata: ["text": "\(line)"])
        }
    }
}
