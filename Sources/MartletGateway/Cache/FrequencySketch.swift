/// Estimates how often each key was asked for of late, in a few bits a key.
///
/// A count-min sketch (Cormode and Muthukrishnan, 2005): each key has a counter in each of four
/// rows, which it shares with others, and the least of the four is the estimate, never too low. An
/// increment goes to the least ones only (Estan and Varghese, 2002), which keeps estimates close.
/// Counters have 4 bits, and all are halved once so many requests have been counted as make a
/// sample, so that what was popular once is forgotten (Einziger, Friedman and Manes, "TinyLFU", ACM
/// Transactions on Storage 13, 2017).
///
/// Hashes must be made under a secret seed: who knows which keys collide can make any look popular.
///
/// An increment takes constant time but for the halving, which touches every counter (16 at a time)
/// once in a sample.
struct FrequencySketch: Sendable {
    /// The largest estimate.
    static let ceiling = 15
    private static let rows = 4
    private static let countersPerWord = 16
    /// Counters in each row for each key that is kept; with fewer, estimates are too high too
    /// often.
    private static let countersPerEntry = 4
    /// The sample, in requests for each key that is kept; that of the paper.
    private static let samplePerEntry = 10

    private let entriesMax: Int
    private var wordsPerRow: Int
    private var words: [UInt64]
    /// Requests counted in the present sample.
    private var counted = 0

    /// A sketch for few keys, which ``fit(entries:)`` makes larger.
    ///
    /// - Parameter entriesMax: for how many keys it grows at most; that is 8 to 16 bytes each.
    init(entriesMax: Int = 1 << 24) {
        self.entriesMax = min(max(entriesMax, 1), 1 << 30)
        wordsPerRow = 16
        words = [UInt64](repeating: 0, count: 16 * Self.rows)
    }

    /// For how many keys it is large enough.
    var entries: Int { wordsPerRow * Self.countersPerWord / Self.countersPerEntry }

    /// After how many requests all counters are halved.
    var sample: Int { entries * Self.samplePerEntry }

    /// Becomes large enough for so many keys, without forgetting what it has counted.
    ///
    /// A row that is doubled holds each counter in both places that its keys may now fall to.
    mutating func fit(entries wanted: Int) {
        while entries < min(wanted, entriesMax) {
            var doubled: [UInt64] = []
            doubled.reserveCapacity(words.count * 2)
            for row in 0..<Self.rows {
                let part = words[row * wordsPerRow..<(row + 1) * wordsPerRow]
                doubled.append(contentsOf: part)
                doubled.append(contentsOf: part)
            }
            words = doubled
            wordsPerRow *= 2
        }
    }

    /// Counts a request for a key.
    mutating func increment(_ hash: UInt64) {
        let least = estimate(hash)
        if least < Self.ceiling {
            for row in 0..<Self.rows {
                let place = place(hash, row: row)
                guard words[place.word] >> place.shift & 15 == least else { continue }
                words[place.word] &+= 1 << place.shift
            }
        }
        counted += 1
        if counted >= sample { halve() }
    }

    /// How often a key was asked for of late, from 0 to ``ceiling``.
    func estimate(_ hash: UInt64) -> Int {
        var least = Self.ceiling
        for row in 0..<Self.rows {
            let place = place(hash, row: row)
            least = min(least, Int(truncatingIfNeeded: words[place.word] >> place.shift & 15))
        }
        return least
    }

    private mutating func halve() {
        for index in words.indices {
            // The lowest bit of each counter would move into its neighbour.
            words[index] = words[index] >> 1 & 0x7777_7777_7777_7777
        }
        counted /= 2
    }

    /// The counter of a key in a row.
    ///
    /// Two hashes make any number of them (Kirsch and Mitzenmacher, "Less hashing, same
    /// performance", 2006).
    private func place(_ hash: UInt64, row: Int) -> (word: Int, shift: UInt64) {
        let mixed = (hash & 0xFFFF_FFFF) &+ UInt64(row) &* (hash >> 32 | 1)
        let counter = mixed & UInt64(wordsPerRow * Self.countersPerWord - 1)
        let word = row * wordsPerRow + Int(truncatingIfNeeded: counter >> 4)
        return (word, (counter & 15) << 2)
    }
}
