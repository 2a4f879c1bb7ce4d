import MartletCore
import NIOCore

/// A stream of events that is passed on, where it stands, and the time of its next one.
struct WatchedStream {
    /// Whether an event of ours may stand behind those of the upstream.
    let takesMore: Bool
    var progress = EventProgress()
    /// When the next event is due; `nil` for at any time.
    var dueAt: ContinuousClock.Instant?
    /// Whether the client takes no more for now: whoever is not read from is not slow.
    var isPaused = false
    /// Whether whoever keeps the time is still to be told of it.
    var isToBeWatched = false

    /// When it counts as stalled; `nil` for never.
    var deadline: ContinuousClock.Instant? { isPaused ? nil : dueAt }
}

/// Answers that are streams of events: when they begin, and when they end early.
extension Exchange {
    /// The head of a stream has come.
    func streamBegins(_ head: Wire.ResponseHead) {
        // An upgraded connection is no stream of events.
        guard httpStatus != 101 else { return machine.stopHolding() }
        stream = WatchedStream(takesMore: Wire.takesMore(head))
        guard let times = plan.streamTimes else { return machine.stopHolding() }
        if !times.awaitsFirstEvent { machine.stopHolding() }
    }

    /// More of a stream that is watched has come.
    func streamContinues(_ bytes: ByteBuffer) {
        guard let before = stream?.progress.dataLines else { return }
        stream?.progress.take(bytes.readableBytesView)
        guard let after = stream?.progress.dataLines, after > before else { return }
        machine.stopHolding()
        guard let time = plan.streamTimes?.betweenEvents else { return }
        // The timer is moved when it fires, not with each event.
        stream?.isToBeWatched = before == 0
        stream?.dueAt = .now + time
    }

    /// Tells whoever keeps the time that an event is due.
    func watchStream() {
        stream?.isToBeWatched = false
        client?.didBegin()
    }

    /// The client takes no more of a stream, or does again.
    func pauseStream(_ isPaused: Bool) {
        guard let time = plan.streamTimes?.betweenEvents, stream?.dueAt != nil,
            stream?.isPaused != isPaused
        else { return }
        stream?.isPaused = isPaused
        guard !isPaused else { return }
        stream?.dueAt = .now + time
        client?.didBegin()
    }

    /// The next event of a stream has not come in time.
    func streamStalled() {
        guard client != nil, let time = plan.streamTimes?.betweenEvents else { return }
        let endpoint = tried.last.map(\.description) ?? "none"
        current?.upstream?.cancel()
        endAttempt(.failed(.timedOut))
        let seconds = time / .seconds(1)
        breakOff(
            telling: ServingError(
                .deadlineExceeded,
                "Endpoint \(endpoint) sent no more of its answer within \(seconds) seconds"))
    }

    /// Ends an answer that has begun, and whose attempt is over: a stream by an event that says
    /// why, where one may stand there, and all else by breaking it off.
    func breakOff(telling error: ServingError) {
        machine.giveUp()
        // What its client had no more time for is no fault of the endpoint.
        isBroken = !subject.context.deadline.hasPassed()
        guard let stream, stream.takesMore, stream.progress.isBetweenEvents,
            let event = policy.event(telling: error, status: error.code.httpStatus, to: subject)
        else {
            conclude()
            client?.abort()
            finish()
            return
        }
        ownBytes += event.count
        conclude()
        client?.send(.body(ByteBuffer(bytes: event)))
        client?.send(.end(nil))
        client?.flush()
        client?.didFinish(requestEnded: machine.requestEnded)
        finish()
    }
}
