/// The work that prompts make at one endpoint, in blocks.
struct PromptLoad: Sendable {
    /// Blocks that were to be computed for the attempts in flight.
    ///
    /// Nobody says which attempt has ended, so each end takes the mean away: nothing is left when
    /// nothing runs.
    private(set) var inFlight = 0.0
    /// Blocks given, those that the endpoint held counted.
    private var given = FadingCount()

    /// The blocks that it was given lately.
    func recent(now: Duration, within time: Duration) -> Double {
        given.value(now: now, within: time)
    }

    /// A prompt of so many blocks goes there, and so many of them are to be computed.
    mutating func didBegin(given: Double, computed: Double, now: Duration, within time: Duration) {
        inFlight += computed
        self.given.add(given, now: now, within: time)
    }

    /// One attempt of so many, itself counted, has ended.
    mutating func didEnd(of count: Int) {
        inFlight = count > 1 ? inFlight * (1 - 1 / Double(count)) : 0
    }
}
