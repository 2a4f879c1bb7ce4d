import Dispatch
import MartletCore
import MartletEngines
import Synchronization

/// A request for vectors: what comes of it.
final class AwaitedVectors: Sendable {
    private let end = DispatchSemaphore(value: 0)
    private let result = Mutex<Result<[[Float]], any Error>?>(nil)

    /// Takes what came of it.
    func take(_ result: Result<[[Float]], any Error>) {
        self.result.withLock { $0 = result }
        end.signal()
    }

    /// What it got, once it has.
    func outcome() throws -> [[Float]] {
        guard end.wait(timeout: .now() + 60) == .success else {
            throw ServingError(.deadlineExceeded, "It got nothing")
        }
        return try result.withLock { $0 }?.get() ?? []
    }
}

extension GenerativeModel {
    /// One vector for each prompt; blocks.
    func embed(
        _ prompts: [[TokenID]], checking check: @escaping @Sendable () throws -> Void
    ) throws -> [[Float]] {
        let vectors = AwaitedVectors()
        embed(prompts, checking: check) { vectors.take($0) }
        return try vectors.outcome()
    }
}
