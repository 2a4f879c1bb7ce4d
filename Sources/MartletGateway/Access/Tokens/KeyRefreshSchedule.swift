/// Decides when the keys of which issuer are fetched again.
///
/// They are fetched every so often, and before that when a token is signed by a key that is not
/// known, as after a rotation. Anybody can send such a token, so there is a pause between two
/// fetches in any case.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls.
struct KeyRefreshSchedule: Sendable {
    private struct State: Sendable {
        var lastAttempt: Duration?
        var isWanted = false
    }

    private var states: [String: State] = [:]

    /// Somebody has met a key that is not known, or a fetch has failed.
    mutating func want(_ issuer: String) {
        states[issuer, default: State()].isWanted = true
    }

    /// The issuers whose keys are to be fetched now, which counts as an attempt.
    ///
    /// Issuers that are not among these are forgotten.
    mutating func due(_ issuers: [Credentials.Issuer], now: Duration) -> [Credentials.Issuer] {
        var kept: [String: State] = [:]
        var due: [Credentials.Issuer] = []
        for issuer in issuers {
            var state = states[issuer.name] ?? State()
            let interval = issuer.refreshInterval
            let wait = state.isWanted ? min(issuer.refreshPause, interval) : interval
            if state.lastAttempt.map({ now - $0 >= wait }) ?? true {
                state = State(lastAttempt: now)
                due.append(issuer)
            }
            kept[issuer.name] = state
        }
        states = kept
        return due
    }
}
