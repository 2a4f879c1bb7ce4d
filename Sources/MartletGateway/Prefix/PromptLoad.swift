/// The work that prompts make at one endpoint, in blocks.
struct PromptLoad: Sendable {
    /// Blocks that were to be computed for the attempts in flight.
    ///
    /// Nobody says which attempt has ended, so each end takes the mean away: nothing is left when
    /// nothing runs.
    private(set) var inFlight = 0.0
    /// Blocks given as of the last change, those that the endpoint held counted; they fade.
    private var given = 0.0
    private var lastChange = Duration.zero

    /// The blocks that it was given lately.
    func recent(now: Duration, within time: Duration) -> Double {
        given * (now - lastChange).decay(within: time)
    }

    /// A prompt of so many blocks goes there, and so many of them are to be computed.
    mutating func didBegin(given: Double, computed: Double, now: Duration, within time: Duration) {
        inFlight += computed
        self.given = recent(now: now, within: time) + given
        lastChange = max(now, lastChange)
    }

    /// One attempt of so many, itself counted, has ended.
    mutating func didEnd(of count: Int) {
        inFlight = count > 1 ? inFlight * (1 - 1 / Double(count)) : 0
    }
}
