import Logging
import MartletCore
import MartletRepository
import Testing

@testable import MartletModelServer

@Suite("Loads that wait for another process of the machine", .timeLimit(.minutes(10)))
struct JournaledLoadingTests {
    private let storage: ModelStorage
    private let journal: LoadJournal
    private let manager: ModelManager

    init() throws {
        storage = try ModelStorage()
        journal = try LoadJournal(folder: "\(storage.path)/journal")
        var options = ModelManager.Options()
        options.loadJournal = journal
        manager = ModelManager(
            loader: VersionLoader(FakeEngine()), options: options,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func update(_ models: [String]) {
        manager.configure(models.map(storage.configuration))
        manager.update(models.map(storage.directory))
    }

    /// Version 1 of model `m` answers, and version 2 waits until the turn that is given ends.
    private func makeVersionThatWaits() async throws -> LoadMark {
        try storage.write("m", 1)
        update(["m"])
        await manager.settle()
        try storage.write("m", 2)
        let digest = ModelDirectory.Version(number: 2, path: "\(storage.path)/m/2").digest
        let turn = try #require(
            LoadMark.hold(shared: "\(storage.path)/journal/\(digest)-turn"))
        update(["m"])
        return turn
    }

    private func state(_ model: String, _ version: Int64) -> ServableState? {
        manager.state(model, version)
    }

    private func until(_ condition: @escaping @Sendable (ModelManager) -> Bool) async {
        await withCheckedContinuation { reached in
            manager.whenever(condition) { reached.resume() }
        }
    }

    @Test func whileOneWaits_otherModelsAreLoaded() async throws {
        let turn = try await makeVersionThatWaits()
        try storage.write("other", 1)
        update(["m", "other"])
        await until { $0.state("other", 1) == .available }
        #expect(state("m", 1) == .available)
        #expect(state("m", 2) == .loading)
        turn.end()
        await until { $0.state("m", 2) == .available }
    }

    @Test func whoWaits_givesUpWhenTheNodeShutsDown() async throws {
        let turn = try await makeVersionThatWaits()
        journal.close()
        await until { $0.state("m", 2) == .end }
        let status = try manager.status(model: "m", version: .number(2)).first
        #expect(status?.error?.code == .unavailable)
        #expect(state("m", 1) == .available)
        withExtendedLifetime(turn) {}
    }
}

extension ModelManager {
    fileprivate func state(_ model: String, _ version: Int64) -> ServableState? {
        (try? status(model: model, version: .number(version)))?.first?.state
    }
}
