import Testing

@testable import MartletBench

@Suite("Arrivals")
struct ArrivalScheduleTests {
    private func times(
        _ arrivals: Arrivals, until end: UInt64, threads: Int = 1
    ) -> [UInt64] {
        (0..<threads).flatMap { index -> [UInt64] in
            var schedule = ArrivalSchedule(arrivals, index: index, of: threads)
            var times: [UInt64] = []
            while let time = schedule.next(), time < end { times.append(time) }
            return times
        }.sorted()
    }

    @Test(arguments: [1, 3, 4])
    func constantArrivals_areEvenHoweverManyThreadsShareThem(threads: Int) {
        let all = times(.constant(rate: 1000), until: 1_000_000_000, threads: threads)
        #expect(all.count == 1000)
        for (index, time) in all.enumerated() {
            #expect(abs(Double(time) - Double(index) * 1e6) <= 1)
        }
    }

    @Test(arguments: [1, 4])
    func poissonArrivals_haveTheirRateAndTheSpreadOfIndependentClients(threads: Int) {
        let all = times(
            .poisson(rate: 2000, seed: 7), until: 10_000_000_000, threads: threads)
        // 20,000 expected, standard deviation 141.
        #expect(abs(Double(all.count) - 20_000) < 600)
        let gaps = zip(all, all.dropFirst()).map { Double($1 - $0) }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
        // Of exponential gaps the deviation is the mean.
        #expect(abs(variance.squareRoot() / mean - 1) < 0.05)
    }

    @Test func poissonArrivals_areTheSameForTheSameSeed() {
        let first = times(.poisson(rate: 500, seed: 3), until: 1_000_000_000)
        #expect(first == times(.poisson(rate: 500, seed: 3), until: 1_000_000_000))
        #expect(first != times(.poisson(rate: 500, seed: 4), until: 1_000_000_000))
    }

    @Test(arguments: [1, 2, 5])
    func traces_areReplayedWholeByAllThreads(threads: Int) {
        let trace: [UInt64] = [0, 5, 5, 9, 100, 2000, 2001]
        #expect(times(.trace(trace), until: .max, threads: threads) == trace)
    }

    @Test func closedLoops_haveNoTimes() {
        #expect(times(.closed(concurrency: 4), until: .max).isEmpty)
        #expect(!Arrivals.closed(concurrency: 4).isOpen)
        #expect(Arrivals.trace([0, 500_000_000]).rate == 4)
    }
}
