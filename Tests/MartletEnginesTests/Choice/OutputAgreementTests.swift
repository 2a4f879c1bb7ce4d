import MartletEngines
import MartletTensors
import Testing

struct OutputAgreementTests {
    private func output(_ values: [Float], _ dimensions: [Int]? = nil) throws -> [NamedTensor] {
        let shape = try Shape(dimensions ?? [values.count])
        return [
            NamedTensor(
                name: "y", tensor: try Tensor(dtype: .float, shape: shape, values: values))
        ]
    }

    private func agreement(
        _ reference: [Float], _ other: [Float], tolerance: Double = 1e-4, rows: [Int]? = nil
    ) throws -> OutputAgreement {
        var agreement = OutputAgreement(tolerance: tolerance)
        agreement.compare(
            reference: try output(reference, rows), other: try output(other, rows))
        return agreement
    }

    @Test func sameAnswers_areRightWithoutError() throws {
        let same = try agreement([1, 2, .nan, .infinity], [1, 2, .nan, .infinity])
        #expect(same.isRight)
        #expect(same.error == 0)
    }

    @Test func differences_areRelativeToTheRange() throws {
        let near = try agreement([0, 1000], [0.09, 1000])
        #expect(near.isRight)
        #expect(abs(near.error - 9e-5) < 1e-6)
        #expect(!(try agreement([0, 1], [0.09, 1]).isRight))
        // A single value has no range.
        #expect(try agreement([1000], [1000.09]).isRight)
        #expect(!(try agreement([1], [1.09]).isRight))
    }

    @Test func valuesThatAreNoNumbersInOne_areWrong() throws {
        #expect(try agreement([0, 1], [0, .nan]).fault != nil)
        #expect(try agreement([0, .infinity], [0, 1]).fault != nil)
    }

    @Test func greatestValueElsewhere_isWrongThoughWithinTheTolerance() throws {
        // The first two of the row differ by more than the tolerance allows for both.
        let off = try agreement(
            [0, 0.5, 0.545, 1, 0, 0], [0, 0.52, 0.519, 1, 0, 0], tolerance: 0.03, rows: [2, 3])
        #expect(off.error <= 0.03)
        #expect(off.isRight)
        let far = try agreement(
            [0, 0.5, 0.57, 1, 0, 0], [0, 0.53, 0.529, 1, 0, 0], tolerance: 0.034, rows: [2, 3])
        #expect(!far.isRight)
        // As close as this they may change places.
        #expect(try agreement([0, 0.500_01, 0.5], [0, 0.5, 0.500_01]).isRight)
    }

    @Test func otherNamesShapesTypesAndIntegers_areWrong() throws {
        var agreement = OutputAgreement(tolerance: 1)
        agreement.compare(reference: try output([1, 2]), other: [])
        #expect(agreement.fault == "the outputs are others")
        agreement = OutputAgreement(tolerance: 1)
        agreement.compare(reference: try output([1, 2]), other: try output([1, 2], [2, 1]))
        #expect(agreement.fault?.contains("[2,1]") == true)
        let integers = { (values: [Int32]) in
            [
                NamedTensor(
                    name: "y",
                    tensor: try Tensor(dtype: .int32, shape: Shape([2]), values: values))
            ]
        }
        agreement = OutputAgreement(tolerance: 1)
        agreement.compare(reference: try integers([1, 2]), other: try integers([1, 2]))
        #expect(agreement.isRight)
        agreement.compare(reference: try integers([1, 2]), other: try integers([1, 3]))
        #expect(!agreement.isRight)
    }
}
