/// The replies to probes that ``Prequal`` chooses among, and its rule of choice.
///
/// Of each endpoint it holds the latest reply. Endpoints are spoken of by their place.
///
/// Source: Wydrowski, Kleinberg, Rumble and Archer, "Load is not what you should balance:
/// Introducing Prequal", NSDI 2024: the hot-cold lexicographic rule, and the ways in which replies
/// leave the pool.
struct ProbePool: Sendable {
    /// What an endpoint said of itself, or what the gateway saw there.
    struct Reply: Sendable {
        let place: Int
        /// Requests that run there, of all gateways.
        let running: Double
        /// The same, with those that failures count as, and one for each pick that followed from
        /// the reply.
        var inFlight: Double
        /// Seconds.
        let latency: Double
        let time: Duration
        var uses = 0
    }

    /// The replies, the oldest first.
    private(set) var replies: [Reply] = []
    /// The requests that run at the endpoints which replied last, one for each, the oldest first.
    ///
    /// Kept apart from the replies, since those that leave as the worst would be missing in the
    /// quantile; and without failures, or an endpoint that fails would lift the bar for the others.
    private var running: [(place: Int, requests: Double)] = []
    private var dropsWorst = false
    private let configuration: PrequalConfiguration

    init(configuration: PrequalConfiguration) {
        self.configuration = configuration
    }

    /// Takes a reply in, in place of an older one of that endpoint, or else of the oldest.
    mutating func add(_ reply: Reply) {
        replies.removeAll { $0.place == reply.place }
        replies.append(reply)
        if replies.count > configuration.poolSize { replies.removeFirst() }
        running.removeAll { $0.place == reply.place }
        running.append((reply.place, reply.running))
        if running.count > configuration.poolSize { running.removeFirst() }
    }

    /// Forgets what an endpoint said.
    mutating func forget(_ place: Int) {
        replies.removeAll { $0.place == place }
        running.removeAll { $0.place == place }
    }

    /// Forgets everything.
    mutating func forgetAll() {
        replies = []
        running = []
    }

    /// Forgets replies that are too old.
    mutating func expire(now: Duration) {
        replies.removeAll { now - $0.time > configuration.replyAgeMax }
    }

    /// The requests in flight above which an endpoint is hot.
    ///
    /// The quantile is rounded down to one of the endpoints, so that with few of them, too, the one
    /// with the most requests is hot, unless it is equalled.
    var hotThreshold: Double {
        let sorted = running.map(\.requests).sorted()
        guard let last = sorted.indices.last else { return .infinity }
        return sorted[Int(configuration.hotQuantile * Double(last))]
    }

    /// Picks by the hot-cold rule among the allowed endpoints that have replied.
    ///
    /// It is the cold one of the lowest latency or, where all are hot, the one with the fewest
    /// requests in flight. Latencies that differ by no more than the tolerance are equal; between
    /// equals requests in flight decide, then chance.
    mutating func pick(using generator: inout SplitMix, where isAllowed: (Int) -> Bool) -> Int? {
        let threshold = hotThreshold
        var lowest = Double.infinity
        for reply in replies where reply.inFlight <= threshold && isAllowed(reply.place) {
            lowest = min(lowest, reply.latency)
        }
        let isColdThere = lowest < .infinity
        let latencyMax = lowest * (1 + configuration.latencyTolerance)
        let choice = generator.lowest(of: replies.indices) { index in
            let reply = replies[index]
            guard isAllowed(reply.place) else { return nil }
            let isFast = reply.inFlight <= threshold && reply.latency <= latencyMax
            return isFast || !isColdThere ? reply.inFlight : nil
        }
        let place = choice.map { use($0) }
        drop(hotAbove: threshold)
        return place
    }

    /// Counts the request to come, since the reply does not know of it.
    private mutating func use(_ index: Int) -> Int {
        let place = replies[index].place
        replies[index].inFlight += 1
        replies[index].uses += 1
        if replies[index].uses >= configuration.replyUsesMax { replies.remove(at: index) }
        return place
    }

    /// Drops replies by turns as the oldest and as the worst: else those that are never picked
    /// would fill the pool.
    private mutating func drop(hotAbove threshold: Double) {
        for _ in 0..<min(configuration.repliesDroppedPerPick, replies.count) {
            dropsWorst.toggle()
            replies.remove(at: dropsWorst ? worst(hotAbove: threshold) : 0)
        }
    }

    /// The hot reply with the most requests in flight; the slowest where all are cold.
    private func worst(hotAbove threshold: Double) -> Int {
        func badness(_ reply: Reply) -> (isHot: Int, Double) {
            reply.inFlight > threshold ? (1, reply.inFlight) : (0, reply.latency)
        }
        return replies.indices.max { badness(replies[$0]) < badness(replies[$1]) } ?? 0
    }
}
