import Foundation
import MartletCore
import Synchronization

/// A running child process.
///
/// Each has a thread of its own, which starts it and then waits for its end. It must be the same
/// thread: Linux sends the signal that ``exitWithParent()`` asks for when the *thread* that made
/// the child ends, and the threads of Swift's pools come and go.
final class ChildProcess: Sendable {
    /// What becomes of a start, in this order.
    enum Report: Sendable {
        /// There is a process.
        case spawned(ChildProcess)
        /// There is none, for this reason; nothing follows.
        case failed(reason: String)
        /// It ended; nothing follows.
        case ended(SupervisedProcess.ExitStatus)
    }

    /// Its number.
    let pid: ProcessID
    /// Whether the number is given back, and may belong to another process.
    private let isReaped = Mutex(false)

    private init(pid: ProcessID) {
        self.pid = pid
    }

    /// Starts a process, and reports from its thread what becomes of it.
    static func start(
        _ specification: ProcessSpecification, report: @escaping @Sendable (Report) -> Void
    ) {
        let thread = Thread {
            do throws(SpawnedProgram.Failure) {
                let child = ChildProcess(pid: try specification.program.start())
                report(.spawned(child))
                report(.ended(child.wait()))
            } catch {
                report(.failed(reason: error.reason))
            }
        }
        thread.name = specification.name
        thread.stackSize = 512 * 1024
        thread.start()
    }

    /// Sends a signal, unless the process has ended.
    func send(_ signal: SupervisedProcess.Signal) {
        isReaped.withLock { isReaped in
            guard !isReaped else { return }
            _ = kill(pid, signal == .terminate ? SIGTERM : SIGKILL)
        }
    }

    private func wait() -> SupervisedProcess.ExitStatus {
        // Waits without reaping first, so that the lock is held only for the moment in which the
        // number is given back, and no signal can reach a stranger.
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
        var status: Int32 = 0
        isReaped.withLock { isReaped in
            while waitpid(pid, &status, 0) == -1, errno == EINTR {}
            isReaped = true
        }
        // The macros of <sys/wait.h> are not visible in Swift: the low seven bits are the signal
        // that ended it, or zero, and the next byte is the code.
        let signal = status & 0x7F
        return signal == 0 ? .exited(code: (status >> 8) & 0xFF) : .signalled(signal)
    }
}

extension ProcessSpecification {
    /// What is started.
    fileprivate var program: SpawnedProgram {
        SpawnedProgram(
            executable: executable, arguments: arguments,
            environment: variables(inherited: ProcessInfo.processInfo.environment))
    }

    /// What a child's environment has over or beside what it inherits: it is told whose child it
    /// is, so that it can end with us.
    ///
    /// A process that crashes keeps its connections until Swift's runtime has written its stack, if
    /// the runtime has the tool for that, and whoever waits for an answer waits on. Addresses are
    /// written at once; to find the names of a program of this size takes half a minute on a busy
    /// machine.
    func variables(inherited: [String: String]) -> [String: String] {
        let backtrace = "SWIFT_BACKTRACE"
        var variables = [backtrace: inherited[backtrace] ?? "symbolicate=off"]
        variables.merge(environment) { $1 }
        variables[parentVariable] = "\(getpid())"
        return variables
    }
}
