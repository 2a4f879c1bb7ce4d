import MartletCore
import MartletRepository
import MartletTestKit
import Testing

@testable import MartletModelServer

@Suite("Life of a model's versions, by the thousand")
struct ModelLifecycleSimulationTests {
    @Test func randomStorageLoadsAndFailures_keepEveryPromise() {
        let complaint = SimulationSeeds.complaint(first: 1000, acts: 120) {
            LifecycleWorld(seed: $0)
        }
        #expect(complaint == nil)
    }
}

/// A storage, an engine and a shell that behave at random, and what they see broken.
private struct LifecycleWorld: SimulatedWorld {
    /// Files of one version in storage; a new number stands for new files.
    private struct Files {
        var fingerprint: Int
        var isBroken: Bool
    }

    private var lifecycle = ModelLifecycle(policy: .latest(count: 1))
    private var random: SeededGenerator
    private var storage: [Int64: Files] = [:]
    /// What the lifecycle was told last.
    private var found: Set<Int64> = []
    private var loading: [Int64: Files] = [:]
    private var unloading: Set<Int64> = []
    private var available: Set<Int64> = []
    /// The files that failed last, by version.
    private var failed: [Int64: Int] = [:]
    private var nextFingerprint = 1

    /// The first promise that was broken.
    private(set) var complaint: String?

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func act() {
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: changeStorage()
        case 2, 3, 4: look()
        case 5, 6, 7: finishALoad()
        default: finishAnUnload()
        }
    }

    /// Lets all that is under way come to its end, with storage left alone.
    mutating func settle() {
        look()
        for _ in 0..<100 where complaint == nil {
            guard !loading.isEmpty || !unloading.isEmpty else { break }
            finishALoad()
            finishAnUnload()
            // Files that changed while they were loaded are seen at the next look.
            look()
        }
        guard complaint == nil else { return }
        require(loading.isEmpty && unloading.isEmpty, "it never comes to rest")
        let loadable = storage.filter { failed[$0.key] != $0.value.fingerprint }.keys.max()
        if let loadable {
            require(available == [loadable], "\(available) are available, not only \(loadable)")
        } else if storage.isEmpty {
            require(available.isEmpty, "\(available) are available, but storage is empty")
        }
        let told = lifecycle.statuses.filter { $0.state == .available }.map(\.version)
        require(Set(told) == available, "the status says \(told), not \(available)")
    }

    // MARK: Events

    private mutating func changeStorage() {
        let version = Int64.random(in: 1...5, using: &random)
        if storage[version] != nil, Bool.random(using: &random) {
            storage[version] = nil
        } else {
            let isBroken = Int.random(in: 0..<3, using: &random) == 0
            storage[version] = Files(fingerprint: nextFingerprint, isBroken: isBroken)
            nextFingerprint += 1
        }
    }

    private mutating func look() {
        let versions = storage.keys.sorted().map {
            ModelDirectory.Version(number: $0, path: "/m/\($0)")
        }
        let storage = storage
        found = Set(storage.keys)
        perform(lifecycle.didFind(versions) { storage[$0.number]?.fingerprint ?? 0 })
    }

    private mutating func finishALoad() {
        guard let version = loading.keys.sorted().randomElement(using: &random),
            let files = loading.removeValue(forKey: version)
        else { return }
        // Now and then a load fails though nothing is wrong with the files.
        if files.isBroken || Int.random(in: 0..<20, using: &random) == 0 {
            failed[version] = files.fingerprint
            let error = ServingError(.internal, "broken")
            perform(
                lifecycle.didFail(
                    version, error: error, fingerprint: files.fingerprint, now: .now))
        } else {
            available.insert(version)
            perform(lifecycle.didLoad(version))
        }
    }

    private mutating func finishAnUnload() {
        guard let version = unloading.sorted().randomElement(using: &random) else { return }
        unloading.remove(version)
        perform(lifecycle.didUnload(version))
    }

    // MARK: Actions

    private mutating func perform(_ actions: [ModelLifecycle.Action]) {
        let answeredBefore = !available.isEmpty
        for action in actions {
            switch action {
            case .load(let version, _): load(version)
            case .unload(let version): unload(version)
            }
        }
        guard answeredBefore, available.isEmpty else { return }
        require(found.isEmpty, "nothing answers any more, though storage holds \(found.sorted())")
    }

    private mutating func load(_ version: Int64) {
        require(loading[version] == nil, "\(version) is loaded twice at once")
        require(!available.contains(version), "\(version) is loaded though it is available")
        require(!unloading.contains(version), "\(version) is loaded while it is unloaded")
        // The folder may be gone by the time the engine opens it.
        loading[version] = storage[version] ?? Files(fingerprint: 0, isBroken: true)
    }

    private mutating func unload(_ version: Int64) {
        require(available.remove(version) != nil, "\(version) is unloaded without being loaded")
        require(unloading.insert(version).inserted, "\(version) is unloaded twice")
    }

    private mutating func require(_ holds: Bool, _ otherwise: String) {
        if !holds, complaint == nil { complaint = otherwise }
    }
}
