import MartletCore
import MartletRepository

/// Decides what to load and unload for one model: the functional core of the manager.
///
/// With the availability-preserving policy a version is unloaded only once an aspired one answers,
/// and while the newest version is broken the newest that loads is served instead.
struct ModelLifecycle {
    /// Ended versions remembered for the status, beyond those still in storage.
    static let endedVersionsKept = 16

    /// Something for the shell to do.
    enum Action: Equatable {
        /// Load the version in this folder, in place of the servable that may answer for it from
        /// another, then report ``ModelLifecycle/didLoad(_:)`` or
        /// ``ModelLifecycle/didFail(_:error:fingerprint:now:)``.
        case load(version: Int64, path: String)
        /// Let no new request in, wait for the started ones, unload, then report
        /// ``ModelLifecycle/didUnload(_:)``.
        case unload(version: Int64)
    }

    /// Whether the model's servables should be in memory.
    enum Residency {
        /// As long as the model is configured.
        case wanted
        /// Not until somebody asks for the model.
        case onDemand
        /// Never again: the model is configured no more.
        case removed
    }

    private struct Version {
        var state = ServableState.start
        var path = ""
        /// Where the servable that answers was loaded from.
        var loadedPath = ""
        /// Answers, and is being loaded anew from another folder.
        var isReloading = false
        var loadingPath = ""
        var isInStorage = true
        var error: ServingError?
        /// The files' fingerprint when loading them failed; `nil` when they may be tried.
        var failedFingerprint: Int?
        var failures = 0
        var retryAt: ContinuousClock.Instant?
    }

    /// Which versions are aspired; the next event acts on a change.
    var policy: VersionPolicy
    /// Whether servables should be in memory; the next event acts on a change.
    var residency = Residency.wanted

    private let transition: TransitionPolicy
    private let retries: LoadRetryPolicy
    private var versions: [Int64: Version] = [:]

    init(
        policy: VersionPolicy, transition: TransitionPolicy = .availabilityPreserving,
        retries: LoadRetryPolicy = LoadRetryPolicy(maximum: 0)
    ) {
        self.policy = policy
        self.transition = transition
        self.retries = retries
    }

    // MARK: Events

    /// The versions that storage holds now.
    ///
    /// - Parameters:
    ///   - found: the versions.
    ///   - fingerprint: gives a version's fingerprint; asked only for those that failed.
    /// - Returns: what to do about it.
    mutating func didFind(
        _ found: [ModelDirectory.Version], fingerprint: (ModelDirectory.Version) -> Int
    ) -> [Action] {
        let numbers = Set(found.map(\.number))
        for number in versions.keys { versions[number]?.isInStorage = numbers.contains(number) }
        for version in found {
            var known = versions[version.number] ?? Version()
            known.path = version.path
            if let failed = known.failedFingerprint, failed != fingerprint(version) {
                known = Version(path: version.path)
            }
            versions[version.number] = known
        }
        forgetEnded()
        return nextActions()
    }

    mutating func didLoad(_ version: Int64) -> [Action] {
        guard var loaded = versions[version] else { return nextActions() }
        loaded.state = .available
        loaded.loadedPath = loaded.loadingPath
        loaded.isReloading = false
        loaded.error = nil
        loaded.failures = 0
        versions[version] = loaded
        return nextActions()
    }

    mutating func didFail(
        _ version: Int64, error: ServingError, fingerprint: Int, now: ContinuousClock.Instant
    ) -> [Action] {
        guard var failed = versions[version] else { return nextActions() }
        if !failed.isReloading { failed.state = .end }
        failed.isReloading = false
        failed.error = error
        failed.failedFingerprint = fingerprint
        failed.failures += 1
        failed.retryAt = failed.failures <= retries.maximum ? now + retries.interval : nil
        versions[version] = failed
        return nextActions()
    }

    mutating func didUnload(_ version: Int64) -> [Action] {
        let mayComeBack = residency == .onDemand && versions[version]?.isInStorage == true
        versions[version]?.state = mayComeBack ? .start : .end
        return nextActions()
    }

    /// Tries failed versions again whose pause is over.
    mutating func timePassed(now: ContinuousClock.Instant) -> [Action] {
        for (number, version) in versions {
            guard let retryAt = version.retryAt, retryAt <= now else { continue }
            versions[number]?.retryAt = nil
            versions[number]?.failedFingerprint = nil
        }
        return nextActions()
    }

    /// Tries every version that failed again, at once.
    mutating func retryFailed() -> [Action] {
        for number in versions.keys {
            versions[number]?.retryAt = nil
            versions[number]?.failedFingerprint = nil
            versions[number]?.failures = 0
        }
        return nextActions()
    }

    /// Acts on a change of ``policy`` or ``residency``.
    mutating func didConfigure() -> [Action] { nextActions() }

    // MARK: Questions

    /// The versions that are or were to be served, in ascending order; others that storage holds
    /// are nobody's business.
    var statuses: [VersionStatus] {
        let aspired = aspired
        return versions.filter { $0.value.state != .start || aspired.contains($0.key) }
            .sorted { $0.key < $1.key }
            .map { VersionStatus(version: $0.key, state: $0.value.state, error: $0.value.error) }
    }

    /// Whether a version answers.
    var isAvailable: Bool { versions.values.contains { $0.state == .available } }

    /// Whether a version answers, or would once somebody asks for it.
    var isReady: Bool { isAvailable || residency == .onDemand && !aspired.isEmpty }

    /// Whether nothing of the model answers, although something would if it were asked for or
    /// when it has been loaded.
    var mayCome: Bool {
        !isAvailable && residency != .removed && !aspired.isEmpty
    }

    /// Whether nothing of the model answers, although this version would, or any where none is
    /// named, when it has been loaded.
    func mayCome(_ version: Int64?) -> Bool {
        mayCome && version.map(aspired.contains) ?? true
    }

    /// Where the versions are that would be loaded if somebody asked for the model.
    var comingPaths: [String] { mayCome ? aspired.compactMap { versions[$0]?.path } : [] }

    /// Whether a version is being loaded, or will be as soon as it has been unloaded.
    var isLoading: Bool {
        versions.contains { number, version in
            version.state == .loading || version.isReloading
                || version.state == .unloading && aspired.contains(number)
        }
    }

    /// Whether a version waits for its last request to end, or is being unloaded.
    var isUnloading: Bool { versions.values.contains { $0.state == .unloading } }

    /// Whether nothing of the model is left in memory or storage.
    var isGone: Bool { isUnloaded && versions.values.allSatisfy { !$0.isInStorage } }

    /// Whether nothing of the model is in memory.
    var isUnloaded: Bool { versions.values.allSatisfy { $0.state == .end || $0.state == .start } }

    /// Whether nothing is under way: every aspired version answers or failed.
    var isSettled: Bool {
        versions.values.allSatisfy { $0.state != .loading && $0.state != .unloading }
    }

    /// Versions that failed to load, with why.
    var failures: [(version: Int64, error: ServingError)] {
        statuses.compactMap { status in
            status.state == .end ? status.error.map { (status.version, $0) } : nil
        }
    }

    // MARK: Decisions

    /// The versions that should be served: of those in storage that are not known to be broken.
    private var aspired: Set<Int64> {
        policy.aspired(
            of: versions.filter { $0.value.isInStorage && $0.value.failedFingerprint == nil }.keys)
    }

    private mutating func nextActions() -> [Action] {
        guard residency == .wanted else { return unload(except: []) }
        let aspired = aspired
        switch transition {
        case .availabilityPreserving:
            return load(aspired) + (mayUnload(aspired) ? unload(except: aspired) : [])
        case .resourcePreserving:
            // A broken newest version leaves nothing aspired that is worth giving up what answers.
            let unloads = !aspired.isEmpty || isStorageEmpty ? unload(except: aspired) : []
            let isClear = versions.allSatisfy { number, version in
                aspired.contains(number)
                    || version.state != .unloading && version.state != .loading
            }
            return unloads + (isClear ? load(aspired) : [])
        }
    }

    private func mayUnload(_ aspired: Set<Int64>) -> Bool {
        aspired.isEmpty ? isStorageEmpty : aspired.contains { versions[$0]?.state == .available }
    }

    private var isStorageEmpty: Bool { !versions.values.contains(where: \.isInStorage) }

    private mutating func load(_ aspired: Set<Int64>) -> [Action] {
        var actions: [Action] = []
        for number in aspired.sorted(by: >) {
            guard let version = versions[number] else { continue }
            switch version.state {
            case .start, .end: versions[number]?.state = .loading
            case .available where !version.isReloading && version.path != version.loadedPath:
                versions[number]?.isReloading = true
            case .available, .loading, .unloading: continue
            }
            versions[number]?.loadingPath = version.path
            actions.append(.load(version: number, path: version.path))
        }
        return actions
    }

    private mutating func unload(except aspired: Set<Int64>) -> [Action] {
        var actions: [Action] = []
        for number in versions.keys.sorted() where !aspired.contains(number) {
            guard versions[number]?.state == .available else { continue }
            versions[number]?.state = .unloading
            versions[number]?.isReloading = false
            actions.append(.unload(version: number))
        }
        return actions
    }

    private mutating func forgetEnded() {
        let forgettable = versions.filter { !$0.value.isInStorage && $0.value.state == .end }
        for number in forgettable.keys.sorted().dropLast(ModelLifecycle.endedVersionsKept) {
            versions[number] = nil
        }
    }
}
