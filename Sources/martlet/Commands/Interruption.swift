import ArgumentParser
import Dispatch
import Foundation

/// Has something done when the user or the system wants the command to end (SIGINT, SIGTERM), in
/// place of ending at once.
///
/// It works until it is dropped, on a thread of its own, whatever the others are busy with.
final class Interruption: Sendable {
    /// What shells take for "ended by SIGINT": 128 and the signal's number.
    static let exitCode = ExitCode(128 + SIGINT)

    // Sources are made here, cancelled in deinit and never touched between.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    /// Begins to wait for signals.
    init(_ action: @escaping @Sendable () -> Void) {
        let queue = DispatchQueue(label: "martlet.interruption")
        sources = [SIGINT, SIGTERM].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { action() }
            source.resume()
            return source
        }
    }

    deinit {
        for source in sources { source.cancel() }
    }

    /// Ends the process as one that was interrupted, after a last line on standard error.
    static func end(_ text: String) -> Never {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
        // Not exit(): the engines' libraries need not be torn down.
        _exit(exitCode.rawValue)
    }
}
