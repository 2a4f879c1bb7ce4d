import Foundation
import MartletTestKit
import Testing

@testable import MartletBench

@Suite("Comparison of two targets")
struct ComparisonTests {
    private func normal(_ random: inout SeededGenerator) -> Double {
        let (first, second) = (
            Double.random(in: 1e-12..<1, using: &random), Double.random(in: 0..<1, using: &random)
        )
        return (-2 * log(first)).squareRoot() * cos(2 * .pi * second)
    }

    @Test func turns_alternateSoThatDriftTouchesBothAlike() {
        #expect(Comparison.order(rounds: 4) == [0, 1, 1, 0, 0, 1, 1, 0])
    }

    @Test func intervals_holdTheTruthAsOftenAsTheySay() throws {
        var random = SeededGenerator(seed: 11)
        var held = 0
        for _ in 0..<1000 {
            // The second is 1.2 times the first; a round's noise is 5 %.
            let first = (0..<6).map { _ in 100 * exp(0.05 * normal(&random)) }
            let second = (0..<6).map { _ in 120 * exp(0.05 * normal(&random)) }
            let ratio = try #require(Comparison.ratio(first, second))
            if ratio.low <= 1.2, ratio.high >= 1.2 { held += 1 }
        }
        // 950 expected, standard deviation 7.
        #expect(abs(held - 950) < 30)
    }

    @Test func driftThatBothShare_doesNotWidenTheInterval() throws {
        let drift = [1, 0.7, 1.5, 2, 0.4, 1.1]
        let ratio = try #require(
            Comparison.ratio(drift.map { 100 * $0 }, drift.map { 110 * $0 }))
        #expect(abs(ratio.value - 1.1) < 1e-9)
        #expect(ratio.high - ratio.low < 1e-9)
    }

    @Test func tooFewRounds_giveNoInterval() {
        #expect(Comparison.ratio([1], [2]) == nil)
        #expect(Comparison.ratio([1, 0, 0], [2, 1, 1]) == nil)
    }

    @Test func studentsQuantiles_goOnWhereTheTableEnds() {
        #expect(Comparison.student(degrees: 1) == 12.706)
        #expect(Comparison.student(degrees: 30) == 2.042)
        #expect(abs(Comparison.student(degrees: 40) - 2.021) < 0.002)
        #expect(abs(Comparison.student(degrees: 1000) - 1.962) < 0.001)
    }
}
