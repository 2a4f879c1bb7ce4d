import MartletCore
import MartletTestKit

@testable import MartletGateway

/// What ``QuotaScript`` does to the keys of a Redis server.
struct QuotaStore {
    private struct Key {
        var full = Duration.zero
        var flights: [Int: (count: Int, ends: Duration)] = [:]
    }

    let configuration: QuotaExchange.Configuration
    private var keys: [SharedQuota: Key] = [:]

    init(_ configuration: QuotaExchange.Configuration) {
        self.configuration = configuration
    }

    mutating func take(_ report: QuotaReport, from gateway: Int, now: Duration) -> QuotaStanding {
        var key = keys[report.quota] ?? Key()
        defer { keys[report.quota] = key }
        var toFull = Duration.zero
        if let rate = report.limits.rate {
            let age = report.sentAt - report.since + configuration.interval
            let spent = max(key.full, now - age) + rate.interval * report.tokens
            key.full = min(spent, now + configuration.timeToFullMax(rate))
            toFull = max(.zero, key.full - now)
        }
        guard let inFlight = report.inFlight else {
            return QuotaStanding(timeToFull: toFull, inFlightElsewhere: 0, gateways: 1)
        }
        key.flights[gateway] =
            inFlight > 0 ? (count: inFlight, ends: now + configuration.inFlightLife) : nil
        key.flights = key.flights.filter { $0.value.ends > now }
        let others = key.flights.filter { $0.key != gateway }.values
        return QuotaStanding(
            timeToFull: toFull, inFlightElsewhere: others.reduce(0) { $0 + $1.count },
            gateways: others.count + 1)
    }

    mutating func flush() { keys = [:] }
}

/// Several gateways that share one quota, in steps of 5 ms; all that happens comes of the seed.
struct SharingSimulation {
    private enum Message {
        case toStore(QuotaReport)
        /// Nil if there was no answer.
        case toGateway(QuotaReport, QuotaStanding?)
    }

    private struct Gateway {
        var pools: QuotaPools
        var nextRound: Duration
        var messages: [(at: Duration, Message)] = []
    }

    static let step: Duration = .milliseconds(5)
    static let pool = "tenant:a"

    let claims: [QuotaClaim]
    let delayMax: Duration
    let configuration: QuotaExchange.Configuration
    private(set) var now = Duration.zero
    /// Whether the store answers.
    var storeServes = true
    var generator: SeededGenerator
    private var store: QuotaStore
    private var gateways: [Gateway] = []

    init(
        gateways: Int, _ limits: QuotaLimits, isShared: Bool = true,
        delayMax: Duration = .milliseconds(20), seed: UInt64
    ) {
        claims = [QuotaClaim(key: QuotaKey(key: "key:alice"), limits: limits)]
        configuration = QuotaExchange.Configuration()
        self.delayMax = delayMax
        generator = SeededGenerator(seed: seed)
        store = QuotaStore(configuration)
        for _ in 0..<gateways {
            self.gateways.append(
                Gateway(
                    pools: QuotaPools(
                        configuration: .init(), sharing: isShared ? configuration : nil),
                    nextRound: .milliseconds(Int.random(in: 0...100, using: &generator))))
        }
    }

    /// Asks a gateway for one request.
    mutating func ask(_ gateway: Int) -> QuotaDecision {
        gateways[gateway].pools.take(claims, from: SharingSimulation.pool, now: now)
    }

    /// A request that a gateway let in is over.
    mutating func release(_ gateway: Int) {
        gateways[gateway].pools.release(claims, to: SharingSimulation.pool)
    }

    /// A gateway is killed, and another takes its place.
    mutating func restart(_ gateway: Int) {
        gateways[gateway].pools = QuotaPools(configuration: .init(), sharing: configuration)
        gateways[gateway].messages = []
        gateways[gateway].nextRound = now + configuration.interval
    }

    /// All keys are removed.
    mutating func flush() { store.flush() }

    func inFlight(_ gateway: Int) -> Int {
        gateways[gateway].pools.inFlight(claims[0].key, in: SharingSimulation.pool)
    }

    /// Lets time pass, and what is due in it happen.
    mutating func advance() {
        now += SharingSimulation.step
        for index in gateways.indices {
            deliver(to: index)
            guard gateways[index].messages.isEmpty, gateways[index].nextRound <= now else {
                continue
            }
            let reports = gateways[index].pools.reports(now: now)
            gateways[index].nextRound = now + configuration.interval
            gateways[index].messages = reports.map { (now + delay(), .toStore($0)) }
        }
    }

    private mutating func deliver(to index: Int) {
        let now = now
        let messages = gateways[index].messages
        gateways[index].messages = messages.filter { $0.at > now }
        for (at, message) in messages where at <= now {
            switch message {
            case .toStore(let report):
                // What fails may have been taken all the same.
                let isTaken = storeServes || Bool.random(using: &generator)
                let standing = isTaken ? store.take(report, from: index, now: now) : nil
                gateways[index].messages.append(
                    (now + delay(), .toGateway(report, storeServes ? standing : nil)))
            case .toGateway(let report, let standing):
                gateways[index].pools.settle(report, standing, now: now)
                gateways[index].nextRound = now + configuration.interval
            }
        }
    }

    private mutating func delay() -> Duration {
        .milliseconds(Int.random(in: 0...Int(delayMax.seconds * 1000), using: &generator))
    }

    /// The longest time from one exchange of a gateway to the next.
    var exchangeMax: Duration {
        configuration.interval + delayMax * 2 + SharingSimulation.step * 4
    }
}

/// How far what was let in exceeds a rate, in the window of time where it does so most.
struct RateExcess {
    let rate: Double
    private(set) var most = 0.0
    private(set) var admitted = 0
    private var level = 0.0
    private var last = Duration.zero

    init(rate: Double) { self.rate = rate }

    mutating func admit(now: Duration) {
        level = max(0, level - rate * (now - last).seconds) + 1
        last = now
        most = max(most, level)
        admitted += 1
    }
}
