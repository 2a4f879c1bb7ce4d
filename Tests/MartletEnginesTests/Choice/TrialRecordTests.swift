import MartletEngines
import MartletTensors
import Testing

struct TrialRecordTests {
    private func verdict(_ speedups: [Double], wrong: Bool = false) throws -> EngineChoice {
        var agreement = OutputAgreement(tolerance: 1e-4)
        let output = { (value: Float) in
            [
                NamedTensor(
                    name: "y", tensor: try Tensor(dtype: .float, shape: Shape([]), values: [value]))
            ]
        }
        agreement.compare(reference: try output(1), other: try output(wrong ? 2 : 1))
        var record = TrialRecord(agreement: agreement)
        record.paces = speedups.enumerated().map {
            .init(batch: $0.offset + 1, reference: 100, other: 100 * $0.element)
        }
        return record.verdict(engine: "fast", precision: .exact, reference: "sure")
    }

    @Test func engineThatIsRightAndFaster_isChosenWithItsFigures() throws {
        let choice = try verdict([3, 1.5])
        #expect(choice.engine == "fast")
        #expect(choice.reason == .faster)
        #expect(choice.detail == "fast against sure: 3 x at batch 1, 1.5 x at batch 2, error 0")
        #expect(abs((choice.speedup ?? 0) - 2.12) < 0.01)
    }

    @Test(arguments: [[1.0], [1.05], [0.5], [4, 0.9], [1.3, 0.96, 1.0]])
    func engineThatIsNotFasterOnTheWholeOrSlowSomewhere_isNot(speedups: [Double]) throws {
        let choice = try verdict(speedups)
        #expect(choice.engine == "sure")
        #expect(choice.reason == .slower)
    }

    @Test func engineThatIsWrong_isNotHoweverFast() throws {
        let choice = try verdict([100], wrong: true)
        #expect(choice.engine == "sure")
        #expect(choice.reason == .wrong)
        #expect(choice.error == 1)
        #expect(choice.detail.hasPrefix("fast is wrong: it is off by 1"))
    }

    @Test func nothingTimed_isNotFaster() throws {
        #expect(try verdict([]).reason == .slower)
    }
}
