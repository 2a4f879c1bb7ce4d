import MartletCore

/// Finds out how many threads decode a single token fastest.
///
/// Small models are often faster with one thread than with several, as the threads have to wait for
/// each other in every layer; large ones need all that there are.
enum LlamaThreadTrial {
    /// How many tokens each number of threads decodes; the fastest counts.
    private static let rounds = 6

    /// No more is tried once so much time has passed.
    private static let longest = Duration.seconds(2)

    /// Decodes a few tokens, sets the best number, and leaves the memory empty.
    ///
    /// - Parameters:
    ///   - context: where nothing is decoded yet.
    ///   - most: threads that may be used.
    /// - Throws: `ServingError` if the model cannot decode a token.
    static func run(in context: LlamaContext, most: Int) throws {
        let clock = ContinuousClock()
        let start = clock.now
        var best: (threads: Int, time: Duration)?
        var threads = most
        while threads >= 1 {
            context.setThreads(threads, batch: most)
            var fastest = Duration.seconds(3600)
            for round in 0..<rounds {
                var batch = LlamaBatch(capacity: 1)
                batch.append(0, position: Int32(round), sequence: 0, wantsOutput: true)
                let begun = clock.now
                _ = try context.decode(batch)
                fastest = min(fastest, clock.now - begun)
                if clock.now - start > longest { break }
            }
            context.removeAllCells()
            if fastest < best?.time ?? .seconds(3600) { best = (threads, fastest) }
            if clock.now - start > longest { break }
            threads /= 2
        }
        context.setThreads(best?.threads ?? most, batch: most)
        context.resetPerformance()
    }
}
