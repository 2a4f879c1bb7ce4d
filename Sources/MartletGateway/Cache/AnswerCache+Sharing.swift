import MartletTransport
import Synchronization

/// Answers that gateways have in common.
///
/// An answer is shared under the versions that endpoints served when its asker came, and only if
/// they serve the same when it is there: one that the last version gave while the next came is nobody's.
extension AnswerCache {
    /// Remembers what is served when an asker comes.
    func begin(_ ticket: FlightTicket, _ key: CacheKey, _ state: inout State) {
        guard shared != nil else { return }
        state.versionsBegunWith[ticket] = state.ledger.fingerprint(of: key.model, in: key.pool)
    }

    /// Looks for what other gateways have kept, before a node is asked.
    ///
    /// - Parameters:
    ///   - key: what is asked for.
    ///   - ticket: of who leads.
    ///   - completion: takes the answer, or `nil`; it may be called before this returns.
    func lookupShared(
        _ key: CacheKey, for ticket: FlightTicket,
        completion: @escaping @Sendable (SharedAnswers.Found?) -> Void
    ) {
        let versions = state.withLock { $0.versionsBegunWith[ticket] }
        guard let shared, let versions else {
            completion(nil)
            return
        }
        shared.find(key, versions: versions, completion: completion)
    }

    /// Another gateway's answer for who leads: kept for as long as it is still good, and given to
    /// those who wait; who wants a younger one asks a node.
    func found(_ ticket: FlightTicket, _ found: SharedAnswers.Found) {
        let now = now
        let bytes = AnswerCache.bytes(of: found.answer)
        let waiting = state.withLock { state in
            state.versionsBegunWith[ticket] = nil
            let past = CachedPast(age: found.age, left: found.left)
            let followers = state.cache.fulfil(
                ticket, with: found.answer, bytes: bytes, past: past, now: now)
            return followers.compactMap { state.leave($0) }
        }
        for waiter in waiting {
            let isYoung = waiter.ageMax.map { found.age < $0 } ?? true
            waiter.completion(isYoung ? .answer(found.answer, age: found.age) : .lead)
        }
    }
}

extension AnswerCache.State {
    /// How an answer is shared.
    struct Sharing: Sendable {
        let key: CacheKey
        let versions: String
        let life: Duration
    }

    /// How the answer of who leads is shared; nil where it is not.
    ///
    /// Whether it would be kept here decides too: versions may have gone and come back meanwhile.
    mutating func sharing(_ ticket: FlightTicket, begun: String?, now: Duration) -> Sharing? {
        guard let begun, let key = cache.keyKept(by: ticket),
            ledger.fingerprint(of: key.model, in: key.pool) == begun
        else { return nil }
        return Sharing(
            key: key, versions: begun, life: cache.timeToLive(of: key.model, now: now))
    }

    /// An asker is done; who it was, if it waited.
    mutating func leave(_ ticket: FlightTicket) -> AnswerCache.Waiter? {
        versionsBegunWith[ticket] = nil
        return waiting.removeValue(forKey: ticket)
    }
}
