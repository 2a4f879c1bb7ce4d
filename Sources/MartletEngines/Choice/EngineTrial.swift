import MartletCore
public import MartletTensors
internal import Synchronization

/// Finds out, of two servables of one version, whether they are equally right and which is faster.
///
/// All runs are in the calling thread and in threads that it waits for; nothing outlasts a call.
public struct EngineTrial: Sendable {
    /// A request that is run by both.
    public struct Request: Sendable {
        /// What is run.
        public let signature: Signature
        /// Its inputs, validated.
        public let inputs: [NamedTensor]
        /// Rows of the inputs.
        public let batch: Int
        /// Whether its pace counts.
        public let isTimed: Bool

        /// Creates a request.
        public init(signature: Signature, inputs: [NamedTensor], batch: Int, isTimed: Bool) {
            self.signature = signature
            self.inputs = inputs
            self.batch = batch
            self.isTimed = isTimed
        }

        /// Runs it for all outputs.
        public func run(in servable: any Servable) throws -> [NamedTensor] {
            try servable.run(signature, inputs: inputs, outputs: signature.outputs)
        }
    }

    /// How a trial goes.
    public struct Options: Sendable {
        /// Requests that are run at once.
        public var requestsAtOnce = 1
        /// Sizes of the batches that count.
        public var batches = [1, 8]
        /// How long the pace of one engine at one batch size is taken, all rounds together.
        public var windowSeconds = 0.2
        /// A reference that takes less for a run at batch 1 is kept without a trial.
        public var smallSeconds = 0.000_15
        /// After so long no further pace is taken.
        public var budgetSeconds = 10.0

        /// The defaults.
        public init() {}
    }

    /// Rounds of the engines in turns, of which the best counts: what else the machine does
    /// disturbs some of them.
    private static let rounds = 3

    /// How far the threads of a trial stand back.
    private static let niceness = 10

    private let options: Options
    private let inputs = TrialInputs()

    /// Creates a trial.
    public init(options: Options = Options()) {
        self.options = options
    }

    /// Requests that the reference answers, each of which was run once.
    ///
    /// Those given stand for their signatures. Every other one has one of three rows, to be
    /// compared; the default signature, or else the first, has one of each batch size that counts.
    ///
    /// - Parameters:
    ///   - reference: runs them.
    ///   - given: requests that came with the model.
    /// - Returns: the requests; none when there is a signature for which none were found.
    public func requests(for reference: any Servable, given: [Request] = []) -> [Request] {
        let signatures = reference.signatures.values.sorted { $0.name < $1.name }
        let main = reference.signatures[Signature.defaultName] ?? signatures.first
        var requests = given.filter { (try? $0.run(in: reference)) != nil }
        let known = Set(requests.map(\.signature.name))
        for signature in signatures where !known.contains(signature.name) {
            let takesBatches = TrialInputs.takesBatches(signature)
            let batches = signature == main && takesBatches ? options.batches : []
            let compared = takesBatches ? 3 : 1
            var isAnswered = false
            for openSize in TrialInputs.openSizes where !isAnswered {
                let found = (batches + [compared]).compactMap { batch in
                    request(
                        signature, batch: batch, openSize: openSize,
                        isTimed: signature == main && (batches.contains(batch) || !takesBatches),
                        in: reference)
                }
                guard found.contains(where: { $0.batch == compared }) else { continue }
                requests += found
                isAnswered = true
            }
            guard isAnswered else { return [] }
        }
        return requests
    }

    private func request(
        _ signature: Signature, batch: Int, openSize: Int, isTimed: Bool,
        in servable: any Servable
    ) -> Request? {
        guard let inputs = try? inputs.make(for: signature, batch: batch, openSize: openSize)
        else { return nil }
        let request = Request(
            signature: signature, inputs: inputs, batch: batch, isTimed: isTimed)
        return (try? request.run(in: servable)) == nil ? nil : request
    }

    /// Whether the reference answers so fast that no other engine is worth its memory.
    public func isSmall(_ reference: any Servable, _ requests: [Request]) -> Bool {
        guard let request = requests.filter(\.isTimed).min(by: { $0.batch < $1.batch }) else {
            return false
        }
        let seconds = (0..<5).map { _ in
            let start = ContinuousClock.now
            _ = try? request.run(in: reference)
            return (ContinuousClock.now - start).seconds
        }
        return (seconds.min() ?? .infinity) < options.smallSeconds
    }

    /// Compares the answers, and the paces if these agree.
    ///
    /// - Parameters:
    ///   - other: is tried.
    ///   - reference: is right.
    ///   - requests: are run by both.
    ///   - tolerance: the largest difference that is the same answer.
    /// - Returns: what was found.
    /// - Throws: what a run of either does.
    public func run(
        _ other: any Servable, against reference: any Servable, on requests: [Request],
        tolerance: Double
    ) throws -> TrialRecord {
        let start = ContinuousClock.now
        var record = TrialRecord(agreement: OutputAgreement(tolerance: tolerance))
        for request in requests {
            record.agreement.compare(
                reference: try request.run(in: reference), other: try request.run(in: other))
        }
        guard record.agreement.isRight else { return record }
        for request in requests where request.isTimed {
            let elapsed = (ContinuousClock.now - start).seconds
            guard record.paces.isEmpty || elapsed < options.budgetSeconds else { break }
            var best = (reference: 0.0, other: 0.0)
            for _ in 0..<EngineTrial.rounds {
                best.reference = max(best.reference, pace(of: reference, request))
                best.other = max(best.other, pace(of: other, request))
            }
            record.paces.append(
                .init(batch: request.batch, reference: best.reference, other: best.other))
        }
        return record
    }

    /// Runs a second, of as many at once as usual.
    private func pace(of servable: any Servable, _ request: Request) -> Double {
        let counter = RunCounter()
        let count = max(1, options.requestsAtOnce)
        let window = options.windowSeconds / Double(EngineTrial.rounds)
        // They stand back behind the requests that are answered meanwhile.
        let threads = EngineThreads(
            count: count, capacity: count, name: "trial", niceness: EngineTrial.niceness)
        let start = ContinuousClock.now
        for _ in 0..<count {
            try? threads.submit {
                repeat {
                    guard (try? request.run(in: servable)) != nil else { return }
                    counter.runs.wrappingAdd(1, ordering: .relaxed)
                } while (ContinuousClock.now - start).seconds < window
            }
        }
        threads.shutDown()
        let seconds = (ContinuousClock.now - start).seconds
        return seconds > 0 ? Double(counter.runs.load(ordering: .relaxed)) / seconds : 0
    }
}

/// Counts the runs of several threads.
private final class RunCounter: Sendable {
    let runs = Atomic<Int>(0)
}
