import MartletCore

/// Finds out how many threads decode a single token fastest.
///
/// Small models are often faster with one thread than with several, as the threads have to wait for
/// each other in every layer; large ones need all that there are.
enum LlamaThreadTrial {
    /// How many tokens each number of threads decodes; the median counts.
    private static let rounds = 12

    /// No more is tried once so much time has passed.
    private static let longest = Duration.seconds(2)

    /// Fewer threads are chosen if they are no more than so much slower: others have work, too.
    private static let indifference = 1.03

    /// Decodes a few tokens, sets the best number, and leaves the memory empty.
    ///
    /// The numbers take turns, so that what disturbs the machine disturbs them alike.
    ///
    /// - Parameters:
    ///   - context: where nothing is decoded yet.
    ///   - most: threads that may be used.
    /// - Throws: `ServingError` if the model cannot decode a token.
    static func run(in context: LlamaContext, most: Int) throws {
        let clock = ContinuousClock()
        let start = clock.now
        let counts = sequence(first: max(1, most)) { $0 > 1 ? $0 / 2 : nil }
        var times: [Int: [Duration]] = [:]
        var position: Int32 = 0
        for round in 0..<rounds {
            for threads in counts where round == 0 || clock.now - start < longest {
                context.setThreads(threads, batch: most)
                var batch = LlamaBatch(capacity: 1)
                batch.append(0, position: position, sequence: 0, wantsOutput: true)
                let begun = clock.now
                _ = try context.decode(batch)
                // The first one of each wakes threads and fills caches.
                if round > 0 { times[threads, default: []].append(clock.now - begun) }
                position += 1
            }
        }
        context.removeAllCells()
        context.setThreads(best(of: times.mapValues { median($0) }) ?? most, batch: most)
        context.resetPerformance()
    }

    /// The fewest threads that are about as fast as any; `nil` if nothing was measured.
    static func best(of times: [Int: Duration]) -> Int? {
        guard let fastest = times.values.min() else { return nil }
        return times.filter { $0.value <= fastest * indifference }.keys.min()
    }

    private static func median(_ times: [Duration]) -> Duration {
        times.sorted()[times.count / 2]
    }
}
