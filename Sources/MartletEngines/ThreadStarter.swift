internal import Dispatch
internal import Foundation
internal import Synchronization

/// Starts threads that are as urgent as any, whoever asks for them.
///
/// On Linux a thread is as urgent as the one that starts it, and only an administrator may make it
/// more so later: what a loader's thread, which stands back, starts for serving would stand back
/// for ever, and with it the threads that an engine's library starts from there.
public final class ThreadStarter: Sendable {
    /// The process's one; begins with its first use, which must be by a thread that is urgent.
    public static let shared = ThreadStarter()

    private struct Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
    }

    private let starts = Mutex<[Start]>([])
    private let available = DispatchSemaphore(value: 0)

    private init() {
        let thread = Thread { [self] in
            while true {
                available.wait()
                let next = starts.withLock { $0.isEmpty ? nil : $0.removeFirst() }
                guard let next else { continue }
                let thread = Thread(block: next.body)
                thread.name = next.name
                thread.start()
            }
        }
        thread.name = "thread-starter"
        thread.start()
    }

    /// Starts a thread.
    ///
    /// - Parameters:
    ///   - name: its name in debuggers and profiles.
    ///   - body: what it does; it ends with it.
    public func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        starts.withLock { $0.append(Start(name: name, body: body)) }
        available.signal()
    }
}
