import MartletCore
import Testing

@testable import MartletGateway

@Suite("Times of health checks")
struct CheckScheduleTests {
    private func pauses(_ count: Int, seed: UInt64) -> [Double] {
        var schedule = CheckSchedule(interval: .seconds(10), seed: seed)
        return (0..<count).map { _ in schedule.nextPause().seconds }
    }

    @Test func firstPauses_ofManyEndpoints_areSpreadOverAnInterval() {
        let first = (0..<1000).compactMap { pauses(1, seed: $0).first }
        #expect(first.allSatisfy { (5...15).contains($0) })
        let bySecond = Dictionary(grouping: first) { Int($0 - 5) }
        for second in 0..<10 { #expect((bySecond[second] ?? []).count > 50, "\(second)") }
    }

    @Test func laterPauses_areATenthShorterOrLongerAtMost_andTheIntervalOnAverage() {
        let later = Array(pauses(1001, seed: 7).dropFirst())
        #expect(later.allSatisfy { (9...11).contains($0) })
        #expect(abs(later.reduce(0, +) / 1000 - 10) < 0.1)
        #expect((later.max() ?? 0) - (later.min() ?? 0) > 1.5)
    }

    @Test func sameSeed_givesTheSameTimes() {
        #expect(pauses(20, seed: 3) == pauses(20, seed: 3))
        #expect(pauses(20, seed: 3) != pauses(20, seed: 4))
    }
}
