internal import Logging
import MartletConfiguration
import MartletCore
import MartletTransport
internal import ServiceLifecycle
import Synchronization

/// Reads credentials and keys of issuers again when they change, and hands them to
/// ``AccessControl``.
///
/// What cannot be read or holds a mistake changes nothing: what was good before stays so.
final class AccessService: Service {
    /// Fetches a text over TLS, within a timeout of its own, from a server that one of the
    /// authorities in a file vouches for; without a file, one of those that the system trusts.
    typealias Fetch = @Sendable (_ url: String, _ authorityFile: String?) async throws -> String

    private struct State {
        var access: TrafficPolicy.Access?
        /// Tells the credentials' file apart from that read before; nil if there is none.
        var fingerprint: SecretDigest?
        /// What was wrong at the last look, by what it was wrong with: it is logged once.
        var complaints: [String: String] = [:]
        var issuers: [Credentials.Issuer] = []
        /// How fetches of their keys went.
        var fetches = KeyFetches()
    }

    /// What decides.
    let control: AccessControl

    private let interval: Duration
    private let fetch: Fetch
    private let logger: Logger
    private let origin = ContinuousClock.now
    private let state: Mutex<State>

    /// Reads what there is; sets of keys behind URLs are fetched by ``run()``.
    ///
    /// - Parameters:
    ///   - access: what the traffic policy says, with absolute paths; nil to let everybody in.
    ///   - limits: bounds of the decisions.
    ///   - interval: the pause between two looks for a change.
    ///   - fetch: fetches sets of keys.
    ///   - logger: reports changes and mistakes; never keys.
    /// - Throws: `ConfigurationError` or `ServingError`, for a file that cannot be used.
    init(
        _ access: TrafficPolicy.Access?, limits: AccessControl.Limits = AccessControl.Limits(),
        interval: Duration = .seconds(1), fetch: @escaping Fetch, logger: Logger
    ) async throws {
        self.interval = interval
        self.fetch = fetch
        self.logger = logger
        var limits = limits
        if access?.redis != nil { limits.sharing = limits.sharing ?? QuotaExchange.Configuration() }
        control = AccessControl(nil, limits: limits)
        state = Mutex(State(access: access))
        try await reload(access)
    }

    /// Whether anybody has to show anything.
    var isInUse: Bool { state.withLock { $0.access != nil } }

    /// How fetches of keys went, of each issuer whose keys are behind a URL.
    var keyFetches: [KeyFetches.Report] {
        let now = ContinuousClock.now - origin
        return state.withLock { $0.fetches.reports(now: now) }
    }

    /// Looks again and again for changes, until shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                await look()
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Reads everything that is in files, changed or not, in place of what was read before.
    ///
    /// - Parameters:
    ///   - access: what the traffic policy says now, with absolute paths.
    ///   - isWanted: asked when all is read: whether it is to be used still, or was overtaken.
    /// - Throws: `ConfigurationError` or `ServingError`; then nothing has changed.
    func reload(
        _ access: TrafficPolicy.Access?, ifStill isWanted: @Sendable () -> Bool = { true }
    ) async throws {
        try await read(access) { _ in isWanted() }
    }

    /// Reads everything, and uses it if that is wanted still, by what is used at that moment.
    private func read(
        _ access: TrafficPolicy.Access?, ifStill isWanted: @Sendable (State) -> Bool
    ) async throws {
        let fingerprint = try AccessService.fingerprint(of: access)
        let credentials = try access.map { try Credentials.load($0) }
        var sets: [(issuer: Credentials.Issuer, keys: TokenKeys)] = []
        for issuer in credentials?.issuers ?? [] {
            // A mistake is told now, and not by each fetch.
            if let file = issuer.keysCAFile { try ClientTLS(authorities: .file(file)).check() }
            guard let file = issuer.keysFile else { continue }
            sets.append((issuer, try await AccessService.keys(inFile: file)))
        }
        let now = ContinuousClock.now - origin
        let isTaken = state.withLock { state in
            guard isWanted(state) else { return false }
            let issuers = credentials?.issuers ?? []
            var fetches = state.fetches
            fetches.keep(only: issuers.filter { $0.keysURL != nil }.map(\.name), now: now)
            state = State(
                access: access, fingerprint: fingerprint, issuers: issuers, fetches: fetches)
            control.replace(credentials)
            return true
        }
        guard isTaken else { return }
        for (issuer, keys) in sets { control.replaceKeys(keys, of: issuer) }
        logger.info(
            "Credentials read",
            metadata: [
                "keys": "\(credentials?.keys.count ?? 0)",
                "certificates": "\(credentials?.certificates.count ?? 0)",
                "issuers": "\(credentials?.issuers.count ?? 0)",
            ])
    }

    /// Takes in what has changed.
    func look() async {
        let (access, known) = state.withLock { ($0.access, $0.fingerprint) }
        await noting("credentials") {
            guard try AccessService.fingerprint(of: access) != known else { return }
            // The policy may have come to name another file meanwhile.
            try await read(access) { $0.access == access }
        }
        for issuer in state.withLock({ $0.issuers }) {
            guard let file = issuer.keysFile else { continue }
            await noting(issuer.name) {
                control.replaceKeys(try await AccessService.keys(inFile: file), of: issuer)
            }
        }
        for issuer in control.dueKeys(now: ContinuousClock.now - origin) {
            guard let url = issuer.keysURL else { continue }
            await noting(issuer.name) {
                do {
                    let text = try await fetch(url, issuer.keysCAFile)
                    control.replaceKeys(try await TokenKeys(json: text), of: issuer)
                    note(.success, issuer)
                } catch {
                    note(.failed, issuer)
                    control.keysFailed(of: issuer.name)
                    throw error
                }
            }
        }
    }

    private func note(_ outcome: KeyFetches.Outcome, _ issuer: Credentials.Issuer) {
        let now = ContinuousClock.now - origin
        state.withLock { $0.fetches.didEnd(issuer.name, outcome, now: now) }
    }

    /// Does something, and logs what is wrong with it unless that is what was wrong before.
    private func noting(_ subject: String, _ work: () async throws -> Void) async {
        do {
            try await work()
            state.withLock { $0.complaints[subject] = nil }
        } catch {
            let isNew = state.withLock { state in
                defer { state.complaints[subject] = "\(error)" }
                return state.complaints[subject] != "\(error)"
            }
            guard isNew else { return }
            logger.error(
                "Not read again; what was read before stays good",
                metadata: ["subject": "\(subject)", "error": "\(error)"])
        }
    }

    private static func fingerprint(of access: TrafficPolicy.Access?) throws -> SecretDigest? {
        try access?.apiKeysFile.map { file in
            SecretDigest(
                of: try ConfigurationFile.text(of: file, bytesMax: Credentials.limits.bytes))
        }
    }

    private static func keys(inFile file: String) async throws -> TokenKeys {
        let text = try ConfigurationFile.text(of: file, bytesMax: TokenKeys.Bounds.bytes)
        do {
            return try await TokenKeys(json: text)
        } catch let error as ServingError {
            throw ServingError(error.code, "\(file): \(error.message)", cause: error.cause)
        }
    }
}
