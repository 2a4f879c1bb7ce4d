import ArgumentParser
import Foundation
import MartletTelemetry

/// The process that a node has to itself.
enum NodeProcess {
    /// Runs a node and ends the process with the exit code that its end calls for.
    ///
    /// - Parameters:
    ///   - logs: where the node logs.
    ///   - failure: the exit code of any error; `nil` for one that tells them apart.
    ///   - body: runs the node.
    /// - Throws: errors that ArgumentParser reports.
    static func run(
        logs: (output: LogOutput, accessLog: AccessLog), failure: ExitCode? = nil,
        _ body: (AccessLog) async throws -> Void
    ) async throws {
        let relay = StandardErrorRelay.start(for: logs.output)
        var code = ExitCodes.success
        do {
            try await body(logs.accessLog)
        } catch {
            relay?.stop()
            logs.output.flush()
            let reported = ExitCodes.report(error)
            guard let known = reported as? ExitCode else { throw reported }
            code = failure ?? known
        }
        relay?.stop()
        logs.output.flush()
        // Not exit(): it would tear TensorFlow's globals down under threads that may still run.
        _exit(code.rawValue)
    }
}
