import Foundation
import Testing

@testable import MartletOperations

@Suite("Cluster state")
final class ClusterStateTests: Sendable {
    private let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("martlet-state-\(UUID())")
    private let state = ClusterState(
        pid: 1,
        gateway: .init(pid: nil, address: "127.0.0.1:8080", adminAddress: "127.0.0.1:8081"),
        nodes: [
            .init(name: "node-1", pid: 3, address: "127.0.0.1:8501", restarts: 0, state: "ready")
        ])

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    @Test func file_holdsWhatWasWrittenLast() throws {
        let file = folder.appendingPathComponent("state.json")
        try state.write(to: file)
        #expect(try ClusterState(contentsOf: file) == state)
        var later = state
        later.nodes[0].restarts = 1
        try later.write(to: file)
        #expect(try ClusterState(contentsOf: file) == later)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["state.json"])
    }

    @Test func json_hasEveryKeyEvenWithoutAProcess() throws {
        let file = folder.appendingPathComponent("state.json")
        try state.write(to: file)
        let text = try String(contentsOf: file, encoding: .utf8)
        let compact = text.filter { !$0.isWhitespace }
        #expect(
            compact == """
                {"certificates":null,"gateway":{"address":"127.0.0.1:8080","admin_address":"127.0.0.1:8081",\
                "pid":null},"nodes":[{"address":"127.0.0.1:8501","name":"node-1","pid":3,\
                "restarts":0,"state":"ready"}],"pid":1}
                """)
    }

    @Test func file_inAFolderThatDoesNotExist_throws() {
        let file = folder.appendingPathComponent("none/state.json")
        #expect(throws: (any Error).self) { try state.write(to: file) }
    }
}
