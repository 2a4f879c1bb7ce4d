import MartletCore
import MartletTransport
import Synchronization

/// Copies of a route's requests at work: which are sent, and what their answers told.
final class ShadowRuntime: Sendable {
    let settings: TrafficPolicy.Shadow
    /// The pool that copies go to; `nil` for that of the request.
    let pool: PoolRuntime?

    private let sampler: ShadowSampler
    private let comparison: ShadowComparison?
    private let underWay = Atomic(0)
    private let counts = Mutex(Counts())

    /// What came of copies.
    struct Counts: Sendable {
        var report = ShadowReport()
        /// Copies that were sent.
        var sent = 0
        /// Requests that were not copied, as too many copies were under way.
        var dropped = 0
    }

    init(_ settings: TrafficPolicy.Shadow, pools: [String: PoolRuntime], seed: UInt64) {
        self.settings = settings
        pool = if case .pool(let name) = settings.target { pools[name] } else { nil }
        sampler = ShadowSampler(share: settings.share, seed: seed)
        comparison = settings.compare.map { ShadowComparison(tolerance: $0) }
    }

    /// Whether a request is copied, by a random number.
    func takes(_ random: UInt64) -> Bool { sampler.takes(random) }

    /// Whether answers are compared.
    var isComparing: Bool { comparison != nil }

    /// Up to how many bytes answers are compared; `nil` where they are not.
    var comparedBytes: Int? { isComparing ? settings.bodyBytesMax : nil }

    /// What came of copies so far.
    var soFar: Counts { counts.withLock { $0 } }

    /// Counts a copy in; `false` where there are too many.
    func begin() -> Bool {
        guard underWay.add(1, ordering: .relaxed).newValue <= settings.concurrentRequestsMax
        else {
            underWay.subtract(1, ordering: .relaxed)
            counts.withLock { $0.dropped += 1 }
            return false
        }
        counts.withLock { $0.sent += 1 }
        return true
    }

    /// Takes in the answer to a copy, or that there is none.
    func end(_ original: ShadowOriginal, _ answer: HTTPResponse?) {
        underWay.subtract(1, ordering: .relaxed)
        guard let comparison else { return }
        let bytesMax = settings.bodyBytesMax
        guard let primary = original.answer.flatMap({ ShadowAnswer($0, bytesMax: bytesMax) }),
            let copy = answer.flatMap({ ShadowAnswer($0, bytesMax: bytesMax) })
        else {
            counts.withLock { $0.report.addUnanswered() }
            return
        }
        let verdict = comparison.compare(primary, copy)
        counts.withLock { $0.report.add(verdict, request: original.name) }
    }
}

/// The request that another is a copy of.
struct ShadowOriginal: Sendable {
    let runtime: ShadowRuntime
    /// What it is called in reports.
    let name: String
    /// What its client got, where that is compared.
    let answer: HTTPResponse?
}

extension ShadowAnswer {
    /// An answer as it is compared; `nil` where it is compressed so that it cannot be, or too long.
    init?(_ answer: HTTPResponse, bytesMax: Int) {
        guard let body = answer.plainBody(bytesMax: bytesMax) else { return nil }
        self.init(status: answer.status, body: body)
    }
}
