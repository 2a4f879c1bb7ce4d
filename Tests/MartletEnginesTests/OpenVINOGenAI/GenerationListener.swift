import MartletCore
import Synchronization
import Testing

@testable import MartletEngines

/// Takes the events of one sequence; tests await its first token and its end.
final class GenerationListener: Sendable {
    private struct State {
        var tokens: [GeneratedToken] = []
        var cached: Int?
        var usage = GenerationUsage()
    }

    private let state = Mutex(State())
    private let ends = AsyncStream.makeStream(of: Result<FinishReason, ServingError>.self)
    private let firsts = AsyncStream.makeStream(of: Void.self)

    var tokens: [GeneratedToken] { state.withLock { $0.tokens } }
    var ids: [TokenID] { tokens.map(\.id) }
    var text: String { String(decoding: tokens.flatMap(\.bytes), as: UTF8.self) }
    var cached: Int? { state.withLock { $0.cached } }
    var usage: GenerationUsage { state.withLock { $0.usage } }

    func take(_ event: GenerationEvent) {
        switch event {
        case .started(let cached): state.withLock { $0.cached = cached }
        case .token(let token):
            state.withLock { $0.tokens.append(token) }
            firsts.continuation.yield()
        case .finished(let reason, let usage): end(.success(reason), usage)
        case .failed(let error, let usage): end(.failure(error), usage)
        }
    }

    private func end(_ result: Result<FinishReason, ServingError>, _ usage: GenerationUsage) {
        state.withLock { $0.usage = usage }
        ends.continuation.yield(result)
        ends.continuation.finish()
        firsts.continuation.finish()
    }

    func firstToken() async {
        var iterator = firsts.stream.makeAsyncIterator()
        _ = await iterator.next()
    }

    /// Why it ended.
    func end() async throws -> FinishReason {
        var iterator = ends.stream.makeAsyncIterator()
        return try #require(await iterator.next()).get()
    }
}
