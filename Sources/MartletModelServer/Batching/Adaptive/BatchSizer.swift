/// Chooses how large batches are: as a target of latency allows, and no larger than pays.
struct BatchSizer: Sendable, Equatable {
    /// A throughput so close to the best is as good, and the smaller batch answers sooner.
    private static let goodShare = 0.98
    /// What a batch gives up at most to spare a task that is in a hurry.
    private static let hurriedShare = 0.8
    /// What a size is thought to gain that was never tried.
    private static let curiosity = 1.05
    /// What a batch may take longer than the smallest whether the target allows it or not.
    private static let negligible = 1.2

    /// Most rows of a batch.
    private(set) var rows: Int
    /// Most rows that fit the target, whether they pay or not.
    private(set) var fittingRows: Int
    /// Fewest rows of a batch that is cut short for a task in a hurry.
    private(set) var hurriedRows: Int

    /// A size for a model that nothing is known of: small, since the next will know.
    static let unknown = BatchSizer(rows: 1, fittingRows: 1, hurriedRows: 1)

    private init(rows: Int, fittingRows: Int, hurriedRows: Int) {
        self.rows = rows
        self.fittingRows = fittingRows
        self.hurriedRows = hurriedRows
    }

    /// Chooses a size.
    ///
    /// A task that just misses a batch waits for a thread, which takes a run divided by the
    /// threads, and then for its own run; both together must fit. Rows that cost next to nothing
    /// may always come along: to leave them behind would make them wait for a run as long.
    ///
    /// - Parameters:
    ///   - curve: what has been learned.
    ///   - seconds: the time from a task's arrival to its answer.
    ///   - concurrency: batches that run at once.
    ///   - rowsMax: never more rows.
    ///   - padded: the size that the model sees a batch in.
    init(
        _ curve: LatencyCurve, seconds: Double, concurrency: Int, rowsMax: Int,
        padded: (Int) -> Int
    ) {
        guard curve.runs > 0 else {
            self = .unknown
            return
        }
        let share = 1 + 1 / Double(max(1, concurrency)) + curve.margin
        let allowed = max(
            seconds / share, BatchSizer.negligible * (curve.mean(rows: padded(1)) ?? 0))
        func fits(_ rows: Int) -> Bool { curve.mean(rows: padded(rows)) ?? 0 <= allowed }
        let most = min(rowsMax, max(1, 2 * curve.largestRows))
        let largest = BatchSizer.last(in: 1...max(1, most), where: fits)
        var sizes = BatchSizer.steps(upTo: largest, curve: curve)
        sizes.append((largest, BatchSizer.gain(largest, curve, padded)))
        let best = sizes.map(\.gain).max() ?? 0
        func smallest(_ share: Double) -> Int {
            sizes.first { $0.gain >= share * best }?.rows ?? largest
        }
        rows = smallest(BatchSizer.goodShare)
        fittingRows = largest
        hurriedRows = min(rows, smallest(BatchSizer.hurriedShare))
    }

    // MARK: -

    private typealias Size = (rows: Int, gain: Double)

    /// The sizes that have been seen, and what each gives.
    private static func steps(upTo largest: Int, curve: LatencyCurve) -> [Size] {
        curve.points.compactMap { point in
            let rows = Int(point.rows.rounded())
            guard rows > 0, rows < largest else { return nil }
            return (rows, Double(rows) / point.seconds)
        }
    }

    private static func gain(
        _ rows: Int, _ curve: LatencyCurve, _ padded: (Int) -> Int
    ) -> Double {
        let throughput = Double(rows) / max(curve.mean(rows: padded(rows)) ?? 0, 1e-9)
        return rows > curve.largestRows ? throughput * curiosity : throughput
    }

    /// The last number of a range that a condition holds for, which holds for all before it; the
    /// first where it holds for none.
    static func last(in range: ClosedRange<Int>, where holds: (Int) -> Bool) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = low + (high - low + 1) / 2
            if holds(middle) { low = middle } else { high = middle - 1 }
        }
        return low
    }
}
