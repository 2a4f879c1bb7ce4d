import Foundation
import Logging
import ServiceLifecycle
import Testing

@testable import MartletOperations

/// The children are real: small shell scripts.
@Suite("Process supervisor", .timeLimit(.minutes(10)))
final class ProcessSupervisorTests: Sendable {
    private let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("martlet-supervisor-\(UUID())")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    @Test func child_thatExitsAtOnce_isStartedAgainAndAgain() async throws {
        try await supervise([[shell("node", "exit 3")]]) { snapshots in
            let backingOff = try await snapshots.await { $0.word(0) == "backing-off" }
            #expect(backingOff.processes[0].lastExit == .exited(code: 3))
            #expect(backingOff.processes[0].pid == nil)
            #expect(backingOff.processes[0].restartDelay != nil)
            let again = try await snapshots.await { $0.processes[0].restarts == 3 }
            #expect(again.processes[0].state == .starting)
        }
    }

    @Test func child_thatIsKilled_isStartedAgainUnderAnotherNumber() async throws {
        try await supervise([[shell("node", "exec sleep 1000")]]) { snapshots in
            let first = try await snapshots.await { $0.areAllReady }
            let pid = try #require(first.processes[0].pid)
            #expect(kill(pid, SIGKILL) == 0)
            let second = try await snapshots.await {
                $0.areAllReady && $0.processes[0].restarts == 1
            }
            #expect(second.processes[0].lastExit == .signalled(SIGKILL))
            #expect(second.processes[0].pid != pid)
        }
    }

    @Test func child_isReadyOnceItsProbeSaysSo() async throws {
        let file = folder.appendingPathComponent("ready")
        let node = shell("node", "exec sleep 1000", readyFile: file)
        try await supervise([[node]]) { snapshots in
            let starting = try await snapshots.await { $0.processes[0].pid != nil }
            #expect(starting.processes[0].state == .starting)
            try Data().write(to: file)
            _ = try await snapshots.await { $0.areAllReady }
        }
    }

    @Test func child_thatIgnoresTheStop_isKilled() async throws {
        let file = folder.appendingPathComponent("deaf")
        let script = "trap '' TERM; : > '\(file.path)'; while :; do sleep 0.02; done"
        var configuration = quick
        configuration.stopTimeout = .milliseconds(100)
        let last = try await supervise(
            [[shell("node", script, readyFile: file)]], configuration
        ) { snapshots in
            _ = try await snapshots.await { $0.areAllReady }
        }
        #expect(last.processes[0].state == .stopped)
        #expect(last.processes[0].lastExit == .signalled(SIGKILL))
    }

    @Test func stages_startInOrderAndStopInTheOppositeOrder() async throws {
        let log = folder.appendingPathComponent("log")
        func child(_ name: String) -> ProcessSpecification {
            let ready = folder.appendingPathComponent(name)
            return shell(
                name,
                """
                trap "echo \(name) ends >> '\(log.path)'; exit 0" TERM
                echo \(name) starts >> '\(log.path)'
                : > '\(ready.path)'
                while :; do sleep 0.02; done
                """, readyFile: ready)
        }
        try await supervise([[child("node")], [child("gateway")]]) { snapshots in
            let starting = try await snapshots.await { $0.word(1) == "starting" }
            #expect(starting.word(0) == "ready")
            _ = try await snapshots.await { $0.areAllReady }
        }
        let lines = try String(contentsOf: log, encoding: .utf8)
        #expect(lines == "node starts\ngateway starts\ngateway ends\nnode ends\n")
    }

    @Test func child_thatARestartCannotMend_endsTheSupervisorWithItsCode() async throws {
        let node = shell("node", "exit 69", isReady: false)
        let supervisor = ProcessSupervisor(
            stages: [[shell("other", "exec sleep 1000"), node]], configuration: quick,
            logger: silent, onChange: { _ in })
        let failure = await #expect(throws: SupervisionFailure.self) { try await supervisor.run() }
        #expect(failure == SupervisionFailure(name: "node", code: 69))
    }

    @Test func executable_thatDoesNotExist_isTriedAgain() async throws {
        let missing = ProcessSpecification(
            name: "missing", executable: folder.appendingPathComponent("none").path, arguments: [],
            address: "nowhere", isReady: { false })
        try await supervise([[missing]]) { snapshots in
            let again = try await snapshots.await { $0.processes[0].restarts == 2 }
            #expect(again.processes[0].lastExit == .notSpawned)
        }
    }

    @Test func child_getsAnEnvironmentAnEmptyInputAndNoOtherFiles() async throws {
        let file = folder.appendingPathComponent("out")
        let ready = folder.appendingPathComponent("out.ready")
        let script = """
            { printf '%s,' "$BIRD" "$MARTLET_SUPERVISOR_PID"; cat; ls /proc/$$/fd; } > '\(file.path)'
            : > '\(ready.path)'; exec sleep 1000
            """
        let node = shell("node", script, readyFile: ready, environment: ["BIRD": "martlet"])
        try await supervise([[node]]) { snapshots in
            _ = try await snapshots.await { $0.areAllReady }
        }
        let text = try String(contentsOf: file, encoding: .utf8)
        // 10 is where the shell keeps its own output while the redirection lasts.
        #expect(text == "martlet,\(getpid()),0\n1\n10\n2\n")
    }

    @Test func cancellation_killsTheChildren() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: SupervisorSnapshot.self)
        let deaf = shell("node", "trap '' TERM; while :; do sleep 0.02; done")
        let supervisor = ProcessSupervisor(
            stages: [[deaf]], configuration: quick, logger: silent,
            onChange: { continuation.yield($0) })
        let running = Task { try await supervisor.run() }
        var snapshots = Snapshots(stream)
        let pid = try #require(try await snapshots.await { $0.areAllReady }.processes[0].pid)
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        while kill(pid, 0) == 0 { try await Task.sleep(for: .milliseconds(2)) }
    }

    // MARK: - Helpers

    private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Restarts at once and asks often.
    private var quick: SupervisionConfiguration {
        var configuration = SupervisionConfiguration()
        configuration.restartPolicy = RestartPolicy(
            initialDelay: .milliseconds(1), maximumDelay: .milliseconds(5))
        configuration.probeInterval = .milliseconds(5)
        configuration.stageTimeout = .seconds(60)
        return configuration
    }

    /// A child that runs a script, ready when a file exists, or else as told.
    private func shell(
        _ name: String, _ script: String, readyFile: URL? = nil, isReady: Bool = true,
        environment: [String: String] = [:]
    ) -> ProcessSpecification {
        ProcessSpecification(
            name: name, executable: "/bin/sh", arguments: ["-c", script],
            environment: environment, address: "\(name):1"
        ) {
            guard let readyFile else { return isReady }
            return FileManager.default.fileExists(atPath: readyFile.path)
        }
    }

    /// Runs a supervisor while the body watches it, then stops it as a signal would.
    ///
    /// - Returns: the last state.
    @discardableResult
    private func supervise(
        _ stages: [[ProcessSpecification]], _ configuration: SupervisionConfiguration? = nil,
        _ body: (inout Snapshots) async throws -> Void
    ) async throws -> SupervisorSnapshot {
        let (stream, continuation) = AsyncStream.makeStream(of: SupervisorSnapshot.self)
        let supervisor = ProcessSupervisor(
            stages: stages, configuration: configuration ?? quick, logger: silent,
            onChange: { continuation.yield($0) })
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [supervisor], logger: silent))
        async let end: Void = group.run()
        var snapshots = Snapshots(stream)
        try await body(&snapshots)
        await group.triggerGracefulShutdown()
        try await end
        return try await snapshots.await { snapshot in
            snapshot.processes.allSatisfy { $0.state == .stopped }
        }
    }
}

/// The states of a supervisor, one after the other.
private struct Snapshots {
    private var iterator: AsyncStream<SupervisorSnapshot>.Iterator

    init(_ stream: AsyncStream<SupervisorSnapshot>) {
        iterator = stream.makeAsyncIterator()
    }

    /// The first state from here on of which something is true.
    mutating func `await`(
        _ isAwaited: (SupervisorSnapshot) -> Bool
    ) async throws -> SupervisorSnapshot {
        while let next = await iterator.next() {
            if isAwaited(next) { return next }
        }
        throw CancellationError()
    }
}

extension SupervisorSnapshot {
    fileprivate func word(_ index: Int) -> String { processes[index].state.word }
}
