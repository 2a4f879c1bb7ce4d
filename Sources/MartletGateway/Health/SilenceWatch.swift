/// Tells endpoints that hang from those that are busy with long requests.
///
/// An endpoint hangs if it has several requests, has answered none for much longer than any answer
/// took lately, and others have answered meanwhile. Checks do not tell: another part of a node
/// answers them.
struct SilenceWatch: Sendable {
    /// Requests without an answer that it takes (default 5).
    static let requestsMin = 5
    /// Answers of all endpoints that must be known of, to know how long they take (default 100).
    static let answersMin = 100
    /// The shortest silence that tells (default 2 s).
    static let timeMin = Duration.seconds(2)
    /// How many times as long as the longest answer a silence must be (default 5).
    static let latencies = 5.0

    private struct Member: Sendable {
        var inFlight = 0
        /// Since when it has requests and answers none.
        var since = Duration.zero
        var lastAnswer = Duration.zero
        /// Whether it is watched no more, but for the requests that it still has.
        var isGone = false

        mutating func didBegin(now: Duration) {
            isGone = false
            if inFlight == 0 { since = now }
            inFlight += 1
        }

        mutating func didEnd(isAnswered: Bool, now: Duration) {
            inFlight -= 1
            guard isAnswered else { return }
            since = now
            lastAnswer = now
        }
    }

    /// How long answers took at most, in this half-minute and the one before.
    private var slowest = (current: Duration.zero, previous: Duration.zero)
    private var windowBegan = Duration.zero
    private var answers = 0
    private var members: [EndpointID: Member] = [:]

    /// Endpoints that something is known of.
    var watchedCount: Int { members.count }

    /// Forgets an endpoint, as soon as it has no requests.
    mutating func remove(_ id: EndpointID) {
        guard let place = members.index(forKey: id) else { return }
        members.values[place].isGone = true
        forgetIfGone(place)
    }

    private mutating func forgetIfGone(_ place: Dictionary<EndpointID, Member>.Index) {
        let member = members.values[place]
        if member.isGone, member.inFlight <= 0 { members.remove(at: place) }
    }

    /// A request was sent to an endpoint.
    mutating func didBegin(_ id: EndpointID, now: Duration) {
        members[id, default: Member()].didBegin(now: now)
    }

    /// A request to an endpoint is over; `answered` in that time, or not at all.
    mutating func didEnd(_ id: EndpointID, answeredIn latency: Duration?, now: Duration) {
        if let place = members.index(forKey: id) {
            members.values[place].didEnd(isAnswered: latency != nil, now: now)
            forgetIfGone(place)
        }
        guard let latency else { return }
        answers += 1
        if now - windowBegan > .seconds(30) {
            slowest = (.zero, slowest.current)
            windowBegan = now
        }
        slowest.current = max(slowest.current, latency)
    }

    /// How many requests an endpoint has that hangs, and for how long; `nil` where it does not.
    func silence(of id: EndpointID, now: Duration) -> (requests: Int, time: Duration)? {
        guard let member = members[id], member.inFlight >= SilenceWatch.requestsMin,
            answers >= SilenceWatch.answersMin
        else { return nil }
        let usual = max(slowest.current, slowest.previous) * SilenceWatch.latencies
        let time = now - member.since
        guard time > max(SilenceWatch.timeMin, usual),
            members.contains(where: { $0.key != id && $0.value.lastAnswer > member.since })
        else { return nil }
        return (member.inFlight, time)
    }

    /// Whether an endpoint has answered nothing, and others have, since a time.
    func isSilent(_ id: EndpointID, since time: Duration) -> Bool {
        (members[id]?.lastAnswer ?? .zero) < time
            && members.contains { $0.key != id && $0.value.lastAnswer > time }
    }
}
