import MartletTransport
import Synchronization

/// Reads what an answer has cost while it passes; one for each request to a language model.
final class UsageMeter: AnswerObserver {
    /// Nil while there is no answer that costs anything.
    private let reader = Mutex<UsageReader?>(nil)

    func answerBegins(status: Int, isStream: Bool) {
        reader.withLock { $0 = status == 200 ? UsageReader(isStream: isStream) : nil }
    }

    func answerContinues(_ bytes: UnsafeRawBufferPointer) {
        reader.withLock { reader in
            guard reader != nil else { return }
            reader?.take(bytes)
        }
    }

    /// What has been read by now; nil if no answer that costs anything has begun.
    var reading: UsageReader? { reader.withLock { $0 } }
}
