/// How long a model takes for a batch, by its rows: learned from the runs there were.
///
/// Sizes that are close to each other share a cell, four to each doubling. A cell remembers the
/// mean of its sizes and of their times, in which what is older counts less and less. Between
/// cells the curve is straight; it never falls, whatever the noise in the cells. Beyond the largest
/// size that was seen it goes on as steep as it was.
struct LatencyCurve: Sendable {
    /// A size and the time of its runs.
    struct Point: Sendable, Equatable {
        var rows: Double
        var seconds: Double
        var weight: Double
    }

    /// Runs after which a cell forgets as fast as it learns.
    private static let memory = 16.0
    /// Mean deviations that few runs exceed.
    private static let deviations = 3.0

    private var cells: [Point?] = []
    /// The cells that have runs, in order, made to rise.
    private(set) var points: [Point] = []
    /// The mean of how far runs were from what the curve said, over what it said.
    private(set) var relativeDeviation = 0.1
    /// Runs it has learned from.
    private(set) var runs = 0
    /// The largest batch that ever ran.
    private(set) var largestRows = 0

    /// How much longer than the mean a run takes that is among the longest in a hundred, as a share
    /// of it.
    var margin: Double { LatencyCurve.deviations * relativeDeviation }

    /// Learns from a run.
    mutating func observe(rows: Int, seconds: Double) {
        guard rows > 0, seconds > 0, seconds.isFinite else { return }
        runs += 1
        largestRows = max(largestRows, rows)
        noteDeviation(rows: rows, seconds: seconds)
        let index = LatencyCurve.cell(of: rows)
        while cells.count <= index { cells.append(nil) }
        var cell = cells[index] ?? Point(rows: 0, seconds: 0, weight: 0)
        cell.weight += 1
        // The first runs of a model are slow; what comes after soon outweighs them.
        let share = max(1 / LatencyCurve.memory, 2 / (cell.weight + 1))
        cell.rows += (Double(rows) - cell.rows) * share
        cell.seconds += (seconds - cell.seconds) * share
        cells[index] = cell
        rise()
    }

    /// The mean time of a batch of so many rows; `nil` while nothing has been learned.
    func mean(rows: Int) -> Double? {
        guard let first = points.first, let last = points.last else { return nil }
        let size = Double(rows)
        if size <= first.rows { return first.seconds }
        if size >= last.rows { return last.seconds + (size - last.rows) * finalSlope }
        var (low, high) = (0, points.count - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if points[middle].rows <= size { low = middle } else { high = middle }
        }
        let (left, right) = (points[low], points[high])
        let share = (size - left.rows) / max(right.rows - left.rows, .leastNormalMagnitude)
        return left.seconds + share * (right.seconds - left.seconds)
    }

    /// Rows a second in batches of so many rows.
    func throughput(rows: Int) -> Double? {
        mean(rows: rows).map { Double(rows) / max($0, 1e-9) }
    }

    // MARK: -

    /// Seconds for each row beyond the largest size.
    private var finalSlope: Double {
        guard let last = points.last else { return 0 }
        let average = last.seconds / last.rows
        // Neighbours are too close to tell a slope from noise.
        guard let left = points.last(where: { $0.rows <= last.rows / 2 }) ?? points.first,
            left.rows < last.rows
        else { return average }
        let slope = (last.seconds - left.seconds) / (last.rows - left.rows)
        return min(max(slope, average / 16), 2 * average)
    }

    private mutating func noteDeviation(rows: Int, seconds: Double) {
        guard runs > 8, let expected = mean(rows: rows), expected > 0 else { return }
        let deviation = min(abs(seconds - expected) / expected, 1)
        relativeDeviation += (deviation - relativeDeviation) / 32
    }

    /// Makes the points rise: those that fall are put together with those before them.
    private mutating func rise() {
        points.removeAll(keepingCapacity: true)
        for case var point? in cells {
            point.weight = min(point.weight, LatencyCurve.memory)
            while let before = points.last, before.seconds > point.seconds {
                let weight = before.weight + point.weight
                point = Point(
                    rows: (before.rows * before.weight + point.rows * point.weight) / weight,
                    seconds: (before.seconds * before.weight + point.seconds * point.weight)
                        / weight,
                    weight: weight)
                points.removeLast()
            }
            points.append(point)
        }
    }

    private static func cell(of rows: Int) -> Int {
        guard rows >= 4 else { return rows - 1 }
        let octave = Int.bitWidth - 1 - rows.leadingZeroBitCount
        return 3 + (octave - 2) * 4 + ((rows >> (octave - 2)) & 3)
    }
}
