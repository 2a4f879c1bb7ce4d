import Foundation
import Logging
import MartletOperations
import ServiceLifecycle
import Synchronization

/// Tells people and programs what becomes of a cluster's processes.
///
/// Until all are ready for the first time, changes are log lines; then standard output gets a table
/// and a line for each change. The state file is rewritten at every change.
final class ClusterReporter: Sendable {
    private struct State {
        var snapshot: SupervisorSnapshot
        var hasShownTable = false
    }

    private let plan: ClusterPlan
    private let scheme: String
    private let stateFile: URL?
    private let logger: Logger
    private let state: Mutex<State>

    /// Creates a reporter of a cluster of which nothing is started.
    ///
    /// - Parameters:
    ///   - plan: its processes.
    ///   - isEncrypted: whether clients speak TLS with the gateway.
    ///   - stateFile: the file for other programs; nil for none.
    ///   - logger: hears of changes until all are ready.
    init(plan: ClusterPlan, isEncrypted: Bool, stateFile: URL?, logger: Logger) {
        self.plan = plan
        scheme = isEncrypted ? "https" : "http"
        self.stateFile = stateFile
        self.logger = logger
        let processes = (plan.nodes + [plan.gateway]).map {
            ProcessSnapshot(name: $0.name, address: $0.address.description, state: .stopped)
        }
        state = Mutex(State(snapshot: SupervisorSnapshot(processes: processes)))
    }

    /// The processes that keep the table waiting; empty once it is shown.
    var awaited: [String] {
        state.withLock { state in
            guard !state.hasShownTable else { return [] }
            return state.snapshot.processes.filter { $0.state != .ready }.map(\.name)
        }
    }

    /// Writes the state file for the first time.
    ///
    /// - Throws: when it cannot be written.
    func start() throws {
        try writeState(state.withLock { $0.snapshot })
    }

    /// Tells a new state of the processes.
    func report(_ snapshot: SupervisorSnapshot) {
        do {
            try writeState(snapshot)
        } catch {
            logger.warning("Cannot write the state file.", error: error)
        }
        let (changes, isTableDue, isTableShown) = state.withLock { state in
            let changes = snapshot.changes(since: state.snapshot)
            let isTableShown = state.hasShownTable
            state.snapshot = snapshot
            state.hasShownTable = isTableShown || snapshot.areAllReady
            return (changes, state.hasShownTable && !isTableShown, isTableShown)
        }
        for change in changes {
            if isTableShown { print(change + "\n") } else { logger.info("\(change)") }
        }
        if isTableDue { print(table(snapshot)) }
    }

    private func table(_ snapshot: SupervisorSnapshot) -> String {
        let table = snapshot.table().text(hasColor: allowsColor(fileDescriptor: STDOUT_FILENO))
        let secret = plan.certificates.map { "\nNodes:     mutual TLS, by \($0.folder)" } ?? ""
        return """

            \(table)
            Requests:  \(scheme)://\(plan.gateway.address)  (REST and gRPC)
            Metrics:   http://\(plan.gateway.healthAddress)/metrics
            Status:    martlet status --admin \(plan.gateway.healthAddress)
            Stop:      Ctrl-C, or kill \(getpid())\(secret)


            """
    }

    private func writeState(_ snapshot: SupervisorSnapshot) throws {
        guard let stateFile else { return }
        try plan.state(pid: getpid(), snapshot).write(to: stateFile)
    }

    private func print(_ text: String) {
        // A reader that went away is no reason to stop serving.
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
}

/// Says every few seconds what a cluster that starts is waiting for.
struct WaitingNotice: Service {
    private static let interval: Duration = .seconds(5)

    let reporter: ClusterReporter
    let logger: Logger

    func run() async throws {
        let start = ContinuousClock.now
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.interval)
                let awaited = reporter.awaited
                if awaited.isEmpty { return }
                let seconds = start.duration(to: .now).components.seconds
                logger.info(
                    "waiting for \(awaited.joined(separator: ", "))",
                    metadata: ["seconds": "\(seconds)"])
            }
        }
    }
}
