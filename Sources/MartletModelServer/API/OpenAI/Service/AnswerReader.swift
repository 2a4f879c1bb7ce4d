internal import Dispatch
import MartletCore
internal import Synchronization

/// Has answers read that are more than their text, such as calls of tools: away from the threads
/// that generate them, which have other streams to serve.
///
/// A reading looks at all of an answer's text. So the longer readings take the rarer they are, and
/// all streams of the node together spend ``ReadingPace/share`` of one core on them.
struct AnswerReader: Sendable {
    /// Does a reading after a pause; those of one answer one after the other.
    let run: @Sendable (_ pause: Duration, _ reading: @escaping @Sendable () -> Void) -> Void
    private let pace: SharedPace

    /// A reader that does readings as `run` does them.
    init(
        run:
            @escaping @Sendable (
                _ pause: Duration, _ reading: @escaping @Sendable () -> Void
            ) -> Void
    ) {
        self.init(pace: SharedPace(), run: run)
    }

    private init(
        pace: SharedPace,
        run: @escaping @Sendable (Duration, @escaping @Sendable () -> Void) -> Void
    ) {
        self.pace = pace
        self.run = run
    }

    /// When the stream whose reading took so long may be read again.
    func pause(after time: Duration) -> Duration { pace.pause(after: time) }

    /// Readers of one node, one for each answer.
    struct Source: Sendable {
        private let pace = SharedPace()

        /// A reader for an answer.
        func reader() -> AnswerReader {
            // The pool has as many threads as there are cores.
            let queue = DispatchQueue(
                label: "martlet.reader", target: DispatchQueue.global(qos: .userInitiated))
            return AnswerReader(pace: pace) { pause, reading in
                if pause > .zero {
                    queue.asyncAfter(deadline: .now() + pause.seconds, execute: reading)
                } else {
                    queue.async(execute: reading)
                }
            }
        }
    }
}

/// How often streams are read, so that reading takes a bounded share of the time.
struct ReadingPace: Sendable {
    /// Of one core, for all streams together.
    static let share = 0.1
    /// The longest that a stream waits, however much there is to read.
    static let pauseMax = Duration.seconds(1)

    /// When the share is kept again, if nothing is read until then.
    private var free = Duration.zero

    /// Notes a reading.
    ///
    /// - Parameters:
    ///   - time: what it took.
    ///   - now: when it ended.
    /// - Returns: how long the stream is not to be read.
    mutating func didRead(in time: Duration, now: Duration) -> Duration {
        free = max(free, now) + time * (1 / ReadingPace.share - 1)
        return min(free - now, ReadingPace.pauseMax)
    }
}

/// The pace of all streams of a node.
private final class SharedPace: Sendable {
    private let pace = Mutex(ReadingPace())
    private let origin = ContinuousClock.now

    func pause(after time: Duration) -> Duration {
        let now = ContinuousClock.now - origin
        return pace.withLock { $0.didRead(in: time, now: now) }
    }
}
