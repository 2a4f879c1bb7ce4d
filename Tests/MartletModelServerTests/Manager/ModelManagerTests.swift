import Dispatch
import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletTensors
import Synchronization
import Testing

@testable import MartletModelServer

@Suite("Model manager")
struct ModelManagerTests {
    private let storage: ModelStorage
    private let engine = FakeEngine()
    private let manager: ModelManager

    init() throws {
        storage = try ModelStorage()
        manager = ModelManager(
            loader: VersionLoader(engine),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        manager.configure([storage.configuration("m")])
    }

    private func update(_ models: String...) {
        manager.update(models.map(storage.directory))
    }

    /// The states of a model's versions, such as `1 END, 2 AVAILABLE`; empty when it is unknown.
    private func states(_ model: String = "m") -> String {
        let statuses = (try? manager.status(model: model)) ?? []
        return statuses.map { "\($0.version) \($0.state.name)" }.joined(separator: ", ")
    }

    private func serve(_ version: Int64, of model: String = "m") async throws {
        try storage.write(model, version)
        update(model)
        try await eventually("version \(version)") {
            manager.isAvailable(model, version) && manager.othersAreGone(model, version)
        }
    }

    private func message(_ model: String, _ version: VersionChoice) -> String? {
        let error = #expect(throws: ServingError.self) {
            _ = try manager.lease(model: model, version: version)
        }
        #expect(error?.code == .notFound)
        return error?.message
    }

    // MARK: Serving

    @Test func whenAVersionAppears_itIsServed() async throws {
        #expect(manager.unavailableModels == ["m"])
        try await serve(1)
        #expect(manager.unavailableModels.isEmpty)
        for version in [VersionChoice.latest, .number(1)] {
            let id = try manager.lease(model: "m", version: version).loaded.servable.id
            #expect(id == ServableID(model: "m", version: 1))
        }
        #expect(manager.memory.map(\.bytes) == [1000])
    }

    @Test func whenThereIsNoSuchServable_itIsNotFoundWithTensorFlowServingsWords() async throws {
        try await serve(1)
        #expect(message("nope", .latest) == "Servable not found for request: Latest(nope)")
        #expect(message("m", .number(99)) == "Servable not found for request: Specific(m, 99)")
        let unknown = #expect(throws: ServingError.self) { try manager.status(model: "nope") }
        #expect(unknown?.message == "Could not find any versions of model nope")
        let absent = #expect(throws: ServingError.self) {
            try manager.status(model: "m", version: .number(99))
        }
        #expect(absent?.message == "Could not find version 99 of model m")
        #expect(!manager.knows(model: "nope"))
    }

    // MARK: Swapping

    @Test func whenVersionsAreSwappedUnderLoad_noRequestFindsNothingOrAnUnloadedOne() async throws {
        try await serve(1)
        let isDone = Atomic<Bool>(false)
        let answers = Mutex<[Int64: Int]>([:])
        let failures = Mutex<[String]>([])
        let finished = DispatchGroup()
        for _ in 0..<2 {
            finished.enter()
            Thread { [manager] in
                var own: [Int64: Int] = [:]
                while !isDone.load(ordering: .relaxed) {
                    do {
                        own[try manager.versionThatAnswers("m"), default: 0] += 1
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                    }
                }
                answers.withLock { [own] in $0.merge(own) { $0 + $1 } }
                finished.leave()
            }.start()
        }
        for version in Int64(2)...15 { try await serve(version) }
        try storage.remove("m", 15)
        update("m")
        try await eventually("the rollback") { states().hasSuffix("14 AVAILABLE, 15 END") }
        isDone.store(true, ordering: .relaxed)
        await withCheckedContinuation { continuation in
            finished.notify(queue: .global()) { continuation.resume() }
        }
        #expect(failures.withLock { $0.prefix(3) } == [])
        #expect(answers.withLock { $0.count } > 1)
        try await eventually("unloading") {
            engine.loaded.dropLast().allSatisfy { $0.unloadCount == 1 }
        }
        #expect(engine.loaded.last?.unloadCount == 0)
        #expect(engine.loaded.map(\.lateRunCount).reduce(0, +) == 0)
        #expect(engine.loaded.map(\.id.version) == Array(1...15) + [14])
    }

    @Test func whenARequestIsUnderWay_theOldVersionIsUnloadedAfterIt() async throws {
        try await serve(1)
        let mayEnd = DispatchSemaphore(value: 0)
        let hasBegun = Atomic<Bool>(false)
        let thread = Thread { [manager] in
            let lease = try? manager.lease(model: "m", version: .latest)
            hasBegun.store(true, ordering: .sequentiallyConsistent)
            mayEnd.wait()
            withExtendedLifetime(lease) {}
        }
        thread.start()
        try await eventually("the request") { hasBegun.load(ordering: .sequentiallyConsistent) }
        try storage.write("m", 2)
        update("m")
        try await eventually("the swap") { states() == "1 UNLOADING, 2 AVAILABLE" }
        #expect(message("m", .number(1)) == "Servable not found for request: Specific(m, 1)")
        try await Task.sleep(for: .milliseconds(20))
        #expect(states() == "1 UNLOADING, 2 AVAILABLE")
        #expect(engine.loaded.map(\.unloadCount) == [0, 0])
        mayEnd.signal()
        try await eventually("the unloading") { states() == "1 END, 2 AVAILABLE" }
        #expect(engine.loaded.map(\.unloadCount) == [1, 0])
    }

    // MARK: Failing

    @Test func whenANewerVersionFails_theOlderAnswersAndTheStatusSaysWhy() async throws {
        try await serve(1)
        engine.refuse(
            ServableID(model: "m", version: 2), with: ServingError(.dataLoss, "bytes are missing"))
        try storage.write("m", 2)
        update("m")
        try await eventually("the failure") { states() == "1 AVAILABLE, 2 END" }
        let error = try manager.status(model: "m", version: .number(2)).first?.error
        #expect(error?.description == "DATA_LOSS: bytes are missing")
        #expect(try manager.lease(model: "m", version: .latest).loaded.servable.id.version == 1)
        #expect(manager.unavailableModels.isEmpty)

        engine.refuse(ServableID(model: "m", version: 2), with: nil)
        try storage.write("m", 2, "mended", Data([1]))
        update("m")
        try await eventually("the mended version") { states() == "1 END, 2 AVAILABLE" }
        #expect(try manager.status(model: "m", version: .number(2)).first?.error == nil)
    }

    @Test func whenAFolderIsNoModel_theStatusSaysSo() async throws {
        try storage.write("m", 1, "readme.txt", Data([1]))
        update("m")
        try await eventually("the failure") { states() == "1 END" }
        let error = try #require(try manager.status(model: "m").first?.error)
        #expect(error.code == .notFound)
        #expect(
            error.message.hasSuffix(
                "/m/1/saved_model.pb does not exist: this folder is no SavedModel"))
        #expect(engine.loaded.isEmpty)
        #expect(manager.unavailableModels == ["m"])
    }

    @Test func whenOneModelIsBroken_theOthersAreServed() async throws {
        try storage.write("bad", 1, "saved_model.pb", Data("no protobuf".utf8))
        try storage.write("good", 1)
        update("bad", "good")
        try await eventually("both") { states("bad") == "1 END" && states("good") == "1 AVAILABLE" }
        #expect(manager.unavailableModels == ["bad", "m"])
    }

    // MARK: Storage

    @Test func whenStorageCannotBeListed_whatIsServedStays() async throws {
        try await serve(1)
        try storage.remove("m")
        update("m")
        try await Task.sleep(for: .milliseconds(20))
        #expect(states() == "1 AVAILABLE")
        #expect(try manager.lease(model: "m", version: .latest).loaded.servable.id.version == 1)
    }

    @Test func whenNothingOfAModelAnswersYet_itIsUnavailableAndNotUnknown() throws {
        // Another node may have it: a client that is told of no such model does not ask again.
        let early = #expect(throws: ServingError.self) {
            _ = try manager.lease(model: "m", version: .latest)
        }
        #expect(early?.code == .unavailable)
        #expect(early?.message.contains("m is being loaded") == true)
        #expect(message("nope", .latest) == "Servable not found for request: Latest(nope)")
        manager.update([])
        #expect(message("m", .latest) == "Servable not found for request: Latest(m)")
    }

    @Test func whenStorageIsEmptied_theModelIsUnloadedAndKnownStill() async throws {
        try await serve(1)
        try storage.remove("m", 1)
        update("m")
        try await eventually("the unloading") { states() == "1 END" }
        #expect(manager.unavailableModels == ["m"])
        #expect(message("m", .latest) == "Servable not found for request: Latest(m)")
        #expect(engine.loaded.map(\.unloadCount) == [1])
    }

    @Test func whenAModelLeavesTheRoot_itIsUnloadedAndForgotten() async throws {
        try await serve(1, of: "rooted")
        #expect(manager.modelNames == ["m", "rooted"])
        try await eventually("the forgetting") {
            update("m")
            return manager.modelNames == ["m"]
        }
        #expect(engine.loaded.map(\.unloadCount) == [1])
        #expect(states("rooted").isEmpty)
    }
}

extension ModelManager {
    func isAvailable(_ model: String, _ version: Int64) -> Bool {
        (try? status(model: model, version: .number(version)).first?.state) == .available
    }

    fileprivate func othersAreGone(_ model: String, _ version: Int64) -> Bool {
        ((try? status(model: model)) ?? []).allSatisfy { $0.version == version || $0.state == .end }
    }

    /// The version that says it ran.
    fileprivate func versionThatAnswers(_ model: String) throws -> Int64 {
        let lease = try lease(model: model, version: .latest)
        let servable = lease.loaded.servable
        let tensor = try Tensor(dtype: .float, shape: .scalar, values: [Float(0)])
        let signature = try #require(servable.signatures.values.first)
        let answer = try servable.run(
            signature, inputs: [NamedTensor(name: "x", tensor: tensor)],
            outputs: signature.outputs)
        return Int64(answer[0].tensor.values(as: Float.self)[0])
    }
}
