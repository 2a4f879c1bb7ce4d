import Logging
import MartletConfiguration
import MartletTransport
import Synchronization

/// Has pools connect to their endpoints by the certificates and keys that their files hold, also
/// when those change and the policy does not.
///
/// Connections from before stay as they are. Files that cannot be used change nothing.
final class UpstreamCertificates: Sendable {
    private struct State {
        /// What was read last, and by which policy; `nil` before the first look.
        var seen: (policy: [TrafficPolicy.UpstreamTLS], contents: [Int])?
        /// What was wrong at the last look, and whether it was told: perhaps one file of a pair is
        /// new and the other one on its way.
        var complaint: (text: String, isTold: Bool)?
    }

    private let policy: GatewayPolicy
    private let logger: Logger
    private let state = Mutex(State())

    init(of policy: GatewayPolicy, logger: Logger) {
        self.policy = policy
        self.logger = logger
    }

    /// Takes in what the files hold now.
    func look() {
        let rules = policy.current
        let all = rules.policy.pools.compactMap(\.tls)
        guard !all.isEmpty else { return }
        do {
            let contents = try all.map { try $0.clientTLS.fingerprint() }
            let seen = state.withLock { $0.seen }
            if let seen, seen.policy == all, seen.contents == contents {
                state.withLock { $0.complaint = nil }
                return
            }
            let options = try rules.policy.upstreamOptions()
            // Others have read the files anew, too.
            guard policy.current === rules else { return }
            rules.apply(options, to: policy.pools)
            state.withLock { $0 = State(seen: (all, contents)) }
            guard let seen, seen.policy == all else { return }
            logger.info("certificates towards endpoints read again")
        } catch {
            complain("\(error)")
        }
    }

    private func complain(_ text: String) {
        let isToTell = state.withLock { state in
            let isRepeated = state.complaint?.text == text
            let isToTell = isRepeated && state.complaint?.isTold == false
            state.complaint = (text, isRepeated)
            return isToTell
        }
        guard isToTell else { return }
        logger.error(
            "certificates towards endpoints not read again; those before stay in use",
            metadata: ["error": "\(text)"])
    }
}
