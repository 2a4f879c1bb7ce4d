internal import Dispatch
import MartletCore
import MartletTransport
import Synchronization

/// Copies of a route's requests at work: which are sent, and what their answers told.
final class ShadowRuntime: Sendable {
    let settings: TrafficPolicy.Shadow
    /// The pool that copies go to; `nil` for that of the request.
    let pool: PoolRuntime?

    /// Has something done by another thread, one thing after the other.
    typealias Later = @Sendable (@escaping @Sendable () -> Void) -> Void

    private let later: Later
    private let sampler: ShadowSampler
    private let comparison: ShadowComparison?
    private let underWay = Atomic(0)
    private let counts = Mutex(Counts())

    /// What came of copies.
    struct Counts: Sendable {
        var report = ShadowReport()
        /// Copies that were sent.
        var sent = 0
        /// Requests that were not copied, as too many copies were under way, or no node had room.
        var dropped = 0
    }

    /// Copies of a route's requests.
    ///
    /// - Parameters:
    ///   - settings: what the policy says.
    ///   - pools: all pools by name.
    ///   - seed: sets apart what different routes choose.
    ///   - later: has answers compared; nil for a queue of its own.
    init(
        _ settings: TrafficPolicy.Shadow, pools: [String: PoolRuntime], seed: UInt64,
        later: Later? = nil
    ) {
        self.settings = settings
        self.later = later ?? ShadowRuntime.queue()
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

    /// A copy that was counted in is not sent: no node has room for it.
    func drop() {
        counts.withLock { counts in
            counts.sent -= 1
            counts.dropped += 1
        }
        underWay.subtract(1, ordering: .relaxed)
    }

    /// Takes in the answer to a copy, or that there is none.
    ///
    /// Whoever tells of it is an event loop, and has clients to serve: to compare two answers of a
    /// megabyte takes longer than most requests do. So that is done later, and until then the copy
    /// counts as under way, which bounds how much waits.
    func end(_ original: ShadowOriginal, _ answer: HTTPResponse?) {
        guard let comparison else {
            underWay.subtract(1, ordering: .relaxed)
            return
        }
        guard let primary = original.answer, let answer else {
            take(nil, of: original.name)
            return
        }
        later { [self] in
            take(comparison.verdict(primary, answer, settings.bodyBytesMax), of: original.name)
        }
    }

    /// Takes in what came of a copy; nil where there is nothing to compare.
    private func take(_ verdict: ShadowVerdict?, of name: String) {
        counts.withLock { counts in
            if let verdict {
                counts.report.add(verdict, request: name)
            } else {
                counts.report.addUnanswered()
            }
        }
        underWay.subtract(1, ordering: .relaxed)
    }

    private static func queue() -> Later {
        let queue = DispatchQueue(
            label: "martlet.shadow", target: DispatchQueue.global(qos: .utility))
        return { work in queue.async { work() } }
    }
}

extension ShadowComparison {
    /// What comes of comparing two answers; nil where one of them cannot be compared.
    fileprivate func verdict(
        _ primary: HTTPResponse, _ copy: HTTPResponse, _ bytesMax: Int
    ) -> ShadowVerdict? {
        guard let primary = ShadowAnswer(primary, bytesMax: bytesMax),
            let copy = ShadowAnswer(copy, bytesMax: bytesMax)
        else { return nil }
        return compare(primary, copy)
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
