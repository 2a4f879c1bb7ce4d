import Dispatch
import Foundation
import MartletCore
import MartletRepository
import Synchronization
import Testing

@testable import MartletModelServer

@Suite("Journal of loads", .timeLimit(.minutes(10)))
struct LoadJournalTests {
    private let storage: ModelStorage
    private let version: ModelDirectory.Version
    private let id = ServableID(model: "m", version: 1)

    init() throws {
        storage = try ModelStorage()
        try storage.write("m", 1, "file", Data("one".utf8))
        version = ModelDirectory.Version(number: 1, path: "\(storage.path)/m/1")
    }

    private var folder: String { "\(storage.path)/journal" }

    private func journal(_ change: (inout LoadJournal.Options) -> Void = { _ in }) throws
        -> LoadJournal
    {
        var options = LoadJournal.Options()
        change(&options)
        return try LoadJournal(folder: folder, options: options)
    }

    private func load(_ journal: LoadJournal, hasOthers: Bool = false) throws -> Int {
        try perform(journal, hasOthers: hasOthers) { 7 }
    }

    /// Loads as soon as it is the journal's turn; blocks until then.
    private func perform<Loaded>(
        _ journal: LoadJournal, hasOthers: Bool = false, _ load: () throws -> Loaded
    ) throws -> Loaded {
        var entry = journal.entry(of: id, version)
        while true {
            if let turn = try journal.turn(of: &entry, hasOthers: hasOthers) {
                defer { turn.end() }
                return try journal.perform(entry, load)
            }
            Thread.sleep(forTimeInterval: 0.002)
        }
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    private func marks() throws -> [String] {
        try names().filter { $0.contains("-load-") }
    }

    /// What a process leaves that ends in a load.
    private func dieInLoad() throws {
        let path = "\(folder)/\(version.digest)-load-\(UUID().uuidString)"
        try Data().write(to: URL(fileURLWithPath: path))
    }

    @Test func load_isMarkedWhileItLasts() throws {
        let journal = try journal()
        let loaded = try perform(journal) { () throws -> Int in
            try marks().count
        }
        #expect(loaded == 1)
        #expect(try marks().isEmpty)
    }

    @Test func loadThatFailsInGoodOrder_isNotHeldAgainstTheFiles() throws {
        let journal = try journal()
        for _ in 0..<5 {
            #expect(throws: ServingError.self) {
                try perform(journal) {
                    throw ServingError(.internal, "no")
                }
            }
        }
        #expect(try marks().isEmpty)
        #expect(try load(journal) == 7)
    }

    @Test func filesThatEndedTwoProcesses_areNotLoadedUntilTheyChange() throws {
        let journal = try journal()
        try dieInLoad()
        #expect(try marks().count == 1)
        try dieInLoad()
        let error = #expect(throws: ServingError.self) { try load(journal) }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains("Version 1 of model m is in quarantine") == true)
        #expect(error?.message.contains("\(folder)/\(version.digest)*") == true)
        try storage.write("m", 1, "file", Data("others".utf8))
        #expect(try load(journal) == 7)
    }

    @Test func filesThatLoadAfterAll_haveACleanSlate() throws {
        let journal = try journal()
        try dieInLoad()
        #expect(try load(journal) == 7)
        try dieInLoad()
        #expect(try load(journal) == 7)
        #expect(try marks().isEmpty)
    }

    @Test func endsOfLongAgo_areForgotten() throws {
        let journal = try journal { $0.memory = .zero }
        try dieInLoad()
        try dieInLoad()
        #expect(try load(journal) == 7)
    }

    @Test func loadOfAProcessThatLives_isNoEnd() throws {
        let (first, second) = (try journal(), try journal())
        let loaded = try perform(first) {
            try perform(second) {
                try load(try journal())
            }
        }
        #expect(loaded == 7)
    }

    @Test func processThatEndsInGoodOrder_leavesNoMark() throws {
        let journal = try journal()
        let left = try perform(journal) { () throws -> [String] in
            journal.close()
            return try marks()
        }
        #expect(left.isEmpty)
    }

    @Test func whoHasOthersToLose_waitsForOneThatDiedToTryAgain() async throws {
        let (careful, restarted) = (try journal(), try journal())
        try dieInLoad()
        let order = Mutex<[String]>([])
        async let other: Void = onThread {
            _ = try perform(careful, hasOthers: true) {
                order.withLock { $0.append("careful") }
            }
        }
        _ = try perform(restarted) {
            order.withLock { $0.append("restarted") }
        }
        try await other
        #expect(order.withLock { $0 } == ["restarted", "careful"])
    }

    @Test func whoHasOthersToLose_goesWhenNobodyComesBack() throws {
        let journal = try journal { $0.patience = .zero }
        try dieInLoad()
        #expect(try load(journal, hasOthers: true) == 7)
    }

    @Test func ofThoseWithOthersToLose_oneGoesFirst() async throws {
        let crowd = Crowd()
        let journals = try (0..<4).map { _ in try journal() }
        @Sendable func fail(_ journal: LoadJournal) throws {
            try perform(journal, hasOthers: true) {
                crowd.change(by: 1)
                Thread.sleep(forTimeInterval: 0.05)
                crowd.change(by: -1)
                throw ServingError(.internal, "never good, so never at once")
            }
        }
        await withThrowingTaskGroup(of: Void.self) { group in
            for journal in journals {
                group.addTask { try await onThread { try fail(journal) } }
            }
            while let result = await group.nextResult() {
                #expect(throws: ServingError.self) { try result.get() }
            }
        }
        #expect(crowd.most == 1)
    }

    @Test func whoWaits_givesUpWhenTheJournalIsClosed() throws {
        let journal = try journal()
        try dieInLoad()
        journal.close()
        let error = #expect(throws: ServingError.self) { try load(journal, hasOthers: true) }
        #expect(error?.code == .unavailable)
    }

    @Test func turn_isHeldByOneAtATimeThoughItsFileGoesEachTime() throws {
        _ = try journal()
        let (crowd, path) = (Crowd(), "\(folder)/\(version.digest)-turn")
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for _ in 0..<500 {
                guard thread > 0 else {
                    LoadJournalSweep(folder: folder, memory: .seconds(60)).run()
                    continue
                }
                guard let turn = LoadMark.hold(shared: path) else { continue }
                crowd.change(by: 1)
                crowd.change(by: -1)
                turn.end()
            }
        }
        #expect(crowd.most == 1)
        #expect(try names().isEmpty)
    }

    @Test func sweep_leavesWhatBelongsToFilesThatAreThere() throws {
        let journal = try journal { $0.sweepInterval = .zero }
        #expect(try load(journal, hasOthers: true) == 7)
        try dieInLoad()
        try Data().write(to: URL(fileURLWithPath: "\(folder)/notes-good"))
        let before = try names()
        #expect(before.count == 3)
        journal.sweep()
        #expect(try names() == before)
    }

    @Test func sweep_removesWhatBelongsToFilesThatChangedOrAreGone() throws {
        let journal = try journal { $0.sweepInterval = .zero }
        #expect(try load(journal) == 7)
        let before = try names()
        try storage.write("m", 1, "file", Data("others".utf8))
        #expect(try load(journal) == 7)
        #expect(try names().count == 2)
        journal.sweep()
        let after = try names()
        #expect(after == ["\(version.digest)-good"] && after != before)
        try storage.remove("m")
        journal.sweep()
        #expect(try names().isEmpty)
    }

    @Test func sweep_removesWhatDeadProcessesLeftAndNothingThatIsHeld() throws {
        let journal = try journal {
            $0.sweepInterval = .zero
            $0.memory = .zero
        }
        try dieInLoad()
        for name in ["\(version.digest)-turn", ".\(UUID().uuidString)"] {
            try Data().write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        let other = "\(folder)/\(String(version.digest.reversed()))"
        let held = try ["-turn", "-load-\(UUID().uuidString)"].map {
            try #require(LoadMark.hold(shared: other + $0))
        }
        #expect(try names().count == 5)
        journal.sweep()
        #expect(try names().count == 2)
        for mark in held { mark.end() }
        #expect(try names().isEmpty)
    }

    @Test func sweep_comesNoMoreOftenThanItHasTo() throws {
        let journal = try journal()
        journal.sweep()
        try Data().write(to: URL(fileURLWithPath: "\(folder)/\(version.digest)-turn"))
        journal.sweep()
        #expect(try names().count == 1)
    }

    @Test func folderThatCannotBe_isRefused() throws {
        let error = #expect(throws: ServingError.self) {
            _ = try LoadJournal(folder: version.path + "/file/journal")
        }
        #expect(error?.code == .failedPrecondition)
    }
}

/// How many are at something.
private final class Crowd: Sendable {
    private let state = Mutex((now: 0, most: 0))

    var most: Int { state.withLock { $0.most } }

    func change(by number: Int) {
        state.withLock { $0 = ($0.now + number, max($0.most, $0.now + number)) }
    }
}

/// Runs what blocks on a thread of its own.
private func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result(catching: body)) }.start()
    }
}
