/// What an endpoint takes for an answer while it has so many requests in flight.
///
/// For each level of load it is the median of the latest answers to requests that found it so
/// loaded, which a few slow or quick ones hardly move. An endpoint that was slow because it was
/// full looks quick as soon as it is empty. Without new answers all fall towards 0, so that an
/// endpoint which was slow is tried again.
///
/// Source: the latency estimate of Prequal (see ``Prequal``).
struct LatencyByLoad: Sendable {
    /// The latest answers at one level of load.
    private struct Level: Sendable {
        /// In the order they came, but that the next takes the place of the oldest.
        private var latest: [Double] = []
        private var next = 0
        private var sorted: [Double] = []

        /// The answers that count: enough that the medians of equal endpoints differ by little.
        private static let countMax = 32

        var count: Int { sorted.count }

        /// 0 before the first answer.
        var median: Double { sorted.isEmpty ? 0 : sorted[sorted.count / 2] }

        mutating func add(_ latency: Double) {
            if latest.count < Self.countMax {
                latest.append(latency)
            } else {
                if let place = place(of: latest[next]) { sorted.remove(at: place) }
                latest[next] = latency
                next = (next + 1) % Self.countMax
            }
            sorted.insert(latency, at: place(of: latency) ?? sorted.count)
        }

        private func place(of latency: Double) -> Int? { sorted.firstIndex { $0 >= latency } }
    }

    /// 0, 1, 2 to 3, 4 to 7 requests in flight and so on, the last without an end.
    private var levels = [Level](repeating: Level(), count: 16)
    /// What attempts that have not ended found at their begin, in order of time.
    private var begun: [(time: Duration, level: Int)] = []
    private var lastAnswer = Duration.zero

    /// The answers that an estimate is made of, where there are so many.
    private static let answersMin = 8

    /// The latency in seconds, as of now, of a request that finds so many in flight; 0 before the
    /// first answer, so that a newcomer is tried.
    ///
    /// Where few requests have found so many, the nearest levels count too, each by its answers: a
    /// single unlucky answer would keep an endpoint from getting another.
    func seconds(inFlight: Double, now: Duration, decayTime: Duration) -> Double {
        let level = level(of: inFlight)
        var sum = 0.0
        var answers = 0
        func add(_ near: Int) {
            guard levels.indices.contains(near) else { return }
            sum += levels[near].median * Double(levels[near].count)
            answers += levels[near].count
        }
        add(level)
        for distance in 1..<levels.count where answers < Self.answersMin {
            add(level - distance)
            add(level + distance)
        }
        guard answers > 0 else { return 0 }
        return sum / Double(answers) * (now - lastAnswer).decay(within: decayTime)
    }

    /// An attempt begins, and finds so many requests in flight.
    mutating func didBegin(inFlight: Double, now: Duration) {
        begun.append((now, level(of: inFlight)))
    }

    /// An attempt ended.
    ///
    /// The latency of one that failed, was declined or was given up says only that an answer would
    /// have taken longer, so it counts only where it is above what is known. After a failure, or a
    /// no, what is known is as it was at the last answer: if it went on falling, an endpoint that
    /// fails for long would look fast in the end.
    mutating func didEnd(_ result: BalancedAttempt, now: Duration, decayTime: Duration) {
        let level = found(by: result, now: now)
        let age = result.isWithoutAnswer ? .zero : now - lastAnswer
        let isLonger =
            levels[level].count > 0
            && result.seconds > levels[level].median * age.decay(within: decayTime)
        let isAnswer = !result.isWithoutAnswer && !result.wasAbandoned
        if isAnswer || isLonger { levels[level].add(result.seconds) }
        if isAnswer || isLonger || result.isWithoutAnswer { lastAnswer = max(now, lastAnswer) }
    }

    /// The level that the attempt found which ends now: by its latency, the one that began then.
    private mutating func found(by result: BalancedAttempt, now: Duration) -> Int {
        let begin = now - result.latency
        guard let index = begun.firstIndex(where: { $0.time >= begin }) ?? begun.indices.last
        else { return 0 }
        return begun.remove(at: index).level
    }

    private func level(of inFlight: Double) -> Int {
        let whole = Int(min(max(inFlight, 0), 65_535))
        return min(Int.bitWidth - whole.leadingZeroBitCount, levels.count - 1)
    }
}
