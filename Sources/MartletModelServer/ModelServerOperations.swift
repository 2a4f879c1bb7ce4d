import Logging
import MartletCore
import MartletEngines
import MartletTransport

// MARK: What REST and gRPC do alike

extension ModelServer {
    /// Does an operation.
    ///
    /// A small request for a model that batches is read at once, by the calling thread, as what
    /// remains to be done then is the batch threads'; all else goes to a thread that may block.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - operation: what it asks for.
    ///   - bytes: the size of the request.
    ///   - context: what surrounds it.
    ///   - standing: its place among others that wait to be run together.
    ///   - completion: takes what is known of the request and its outcome, exactly once, on any
    ///     thread.
    func process<Request: TimedRequest, Response>(
        _ request: Request, _ operation: Operation<Request, Response>, bytes: Int,
        context: RequestContext, standing: TaskStanding,
        completion: @escaping @Sendable (RequestSubject, Result<Response, any Error>) -> Void
    ) {
        let isInline =
            isBatching && operation.lane == .engine && !operation.mayTakeLong
            && bytes <= PredictionRunner.inlineBytesMax
        let submitted = ContinuousClock.now
        let work: @Sendable () -> Void = { [self] in
            var subject = operation.subject
            subject.standing = standing
            do {
                let started = isInline ? submitted : ContinuousClock.now
                if !isInline { try context.checkStillWanted() }
                switch try operation.respond(request, &subject) {
                case .ready(let response):
                    try context.checkStillWanted()
                    completion(subject, .success(response))
                case .prediction(let prediction):
                    predict(
                        prediction, subject: subject, submitted: submitted, started: started,
                        mayBlock: !isInline, context: context, standing: standing,
                        completion: completion)
                case .later(let start):
                    let known = subject
                    start { completion(known, $0) }
                }
            } catch let absent as ServableNotLoaded {
                manager.demand(model: absent.model) { [self] failure in
                    if let failure {
                        completion(operation.subject, .failure(failure))
                    } else {
                        process(
                            request, operation, bytes: .max, context: context, standing: standing,
                            completion: completion)
                    }
                }
            } catch {
                completion(subject, .failure(error))
            }
        }
        guard !isInline else { return work() }
        do {
            guard operation.lane == .engine else { return try controlThread.submit(work) }
            let time = runTimes.estimate(for: request.timeKey)
            try engineThreads.submit(expected: time.expected, deadline: context.deadline) {
                time.measuring(work)
            }
        } catch {
            completion(operation.subject, .failure(error))
        }
    }

    private func predict<Response>(
        _ prediction: Prediction<Response>, subject: RequestSubject,
        submitted: ContinuousClock.Instant, started: ContinuousClock.Instant, mayBlock: Bool,
        context: RequestContext, standing: TaskStanding,
        completion: @escaping @Sendable (RequestSubject, Result<Response, any Error>) -> Void
    ) {
        var prediction = prediction
        let timer = PredictionTimer(
            prediction.lease.loaded.statistics, received: context.start, submitted: submitted,
            started: started)
        timer.watch(&prediction)
        let observed = observer.observing(prediction, subject: subject)
        runner.run(
            observed, context: context, standing: standing, mayBlock: mayBlock
        ) { result in
            timer.finish(result)
            completion(
                subject,
                Result {
                    let response = try result.get()
                    try context.checkStillWanted()
                    return response
                })
        }
    }

    func servingError(_ error: any Error) -> ServingError {
        let fault = error as? ServingError ?? ServingError(.internal, "\(error)", cause: error)
        if fault.code == .internal || fault.code == .unknown {
            logger.error(
                "request failed",
                metadata: [
                    "error": "\(fault)", "cause": "\(fault.cause.map { "\($0)" } ?? "none")",
                ])
        }
        return fault
    }
}
