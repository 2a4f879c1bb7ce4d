import Foundation
import Logging
import MartletCore
import ServiceLifecycle
import Synchronization

/// The TLS of a listener, which follows its files: connections made after a change get what the
/// files hold then, those before stay as they are.
///
/// Files that cannot be used change nothing.
final class ReloadingTLS: Sendable {
    private struct State {
        var loaded: LoadedTLS
        /// Tells whether the files have changed, without keeping them.
        var fingerprint: Int
        var complaint = Complaint.none
        /// When it was last told that a list of revoked certificates is past its time.
        var toldOfRenewal: Date?
    }

    private enum Complaint: Equatable {
        /// All is well. Next: pending.
        case none
        /// Something was wrong at the last look: perhaps one file of a pair is new and the other
        /// one on its way. Next: none, pending, told.
        case pending(String)
        /// It still was at the next, and was logged. Next: none, pending.
        case told(String)
    }

    private let source: @Sendable () throws -> ServerTLS
    private let protocols: ListenerOptions.Protocols
    private let logger: Logger
    private let state: Mutex<State>

    /// Loads what is there now.
    ///
    /// - Parameters:
    ///   - source: says where certificates and keys are; asked at each look.
    ///   - protocols: what the listener speaks.
    ///   - logger: reports changes and mistakes; never keys.
    ///   - now: the date.
    /// - Throws: `ServingError` that names the file and what is wrong with it.
    init(
        _ source: @escaping @Sendable () throws -> ServerTLS,
        protocols: ListenerOptions.Protocols, logger: Logger, now: Date = Date()
    ) throws {
        self.source = source
        self.protocols = protocols
        self.logger = logger
        let tls = try source().resolved()
        state = Mutex(
            State(
                loaded: try tls.load(protocols: protocols, logger: logger),
                fingerprint: tls.hashValue))
        complainOfRenewal(now: now)
    }

    /// What a new connection is to speak.
    var current: LoadedTLS { state.withLock { $0.loaded } }

    /// Looks again and again whether the files have changed, until shutdown.
    func watch(interval: Duration = .seconds(1)) async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                if !Task.isCancelled { self.look() }
            }
        }
    }

    /// Takes in what the files hold now.
    func look(now: Date = Date()) {
        takeIn()
        complainOfRenewal(now: now)
    }

    private func takeIn() {
        do {
            let tls = try source().resolved()
            let fingerprint = tls.hashValue
            guard state.withLock({ $0.fingerprint != fingerprint }) else {
                state.withLock { $0.complaint = .none }
                return
            }
            let loaded = try tls.load(protocols: protocols, logger: logger)
            state.withLock { $0 = State(loaded: loaded, fingerprint: fingerprint) }
            logger.info(
                "certificate read", metadata: ["certificate": "\(tls.certificateChain)"])
        } catch {
            let text = "\(error)"
            let isToTell = state.withLock { state in
                let isRepeated = state.complaint == .pending(text)
                if isRepeated {
                    state.complaint = .told(text)
                } else if state.complaint != .told(text) {
                    state.complaint = .pending(text)
                }
                return isRepeated
            }
            guard isToTell else { return }
            logger.error(
                "certificate not read again; the one before stays in use",
                metadata: ["error": "\(text)"])
        }
    }

    /// Tells once a day of lists of revoked certificates that are past their time.
    private func complainOfRenewal(now: Date) {
        let renewal = state.withLock { state -> Date? in
            guard let renewal = state.loaded.clients?.renewal, renewal < now else { return nil }
            let next = state.toldOfRenewal?.addingTimeInterval(ReloadingTLS.secondsBetweenTellings)
            guard next ?? now <= now else { return nil }
            state.toldOfRenewal = now
            return renewal
        }
        guard let renewal else { return }
        logger.error(
            "revocation list is past its time; it stays in use, without what was revoked since",
            metadata: ["next_update": "\(renewal.formatted(.iso8601))"])
    }

    private static let secondsBetweenTellings = 86_400.0
}
