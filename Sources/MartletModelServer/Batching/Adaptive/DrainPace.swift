import MartletCore

/// How fast the rows of a queue get their turn while more wait than fit, whoever else uses the
/// threads.
struct DrainPace: Sendable {
    /// After this time without a batch nothing is known of the pace.
    private static let memory = Duration.seconds(1)

    private var rows = 0.0
    private var seconds = 0.0
    private var last: (at: ContinuousClock.Instant, rows: Int, leftRows: Int)?
    /// Rows of each priority's tasks among those that got their turn lately.
    private var shares = [0.0, 1.0, 0.0]

    /// Whether the last batch left rows behind, and not long ago.
    func isPressed(now: ContinuousClock.Instant) -> Bool {
        guard let last, now - last.at < DrainPace.memory else { return false }
        return last.leftRows > 0
    }

    /// Seconds for each row that waits; `nil` when nothing is known.
    func secondsPerRow(now: ContinuousClock.Instant) -> Double? {
        isPressed(now: now) && rows > 0 ? seconds / rows : nil
    }

    /// The share of the turns that tasks of a priority get which those before it leave over.
    func share(of priority: TaskPriority) -> Double {
        max(0.05, 1 - shares.prefix(priority.rank).reduce(0, +))
    }

    /// Notes a batch.
    ///
    /// - Parameters:
    ///   - counts: its rows by priority.
    ///   - left: rows that wait still.
    ///   - now: the time.
    mutating func didTake(_ counts: [Int], left: Int, now: ContinuousClock.Instant) {
        let taken = counts.reduce(0, +)
        guard taken > 0 else { return }
        if let last, last.leftRows > 0 {
            let gap = (now - last.at).seconds
            // Nothing waited for so long; what ended is another load.
            if gap < DrainPace.memory.seconds {
                rows += (Double(last.rows) - rows) / 8
                seconds += (gap - seconds) / 8
            }
        } else {
            (rows, seconds) = (0, 0)
        }
        last = (now, taken, left)
        for rank in shares.indices {
            shares[rank] += (Double(counts[rank]) / Double(taken) - shares[rank]) / 16
        }
    }
}
