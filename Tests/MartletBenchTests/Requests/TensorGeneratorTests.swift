import MartletCore
import MartletTensors
import Testing

@testable import MartletBench

@Suite("Made-up tensors")
struct TensorGeneratorTests {
    private func spec(_ name: String, _ dtype: DataType, _ dimensions: [Int]?) -> TensorSpec {
        TensorSpec(
            name: name, graphName: "", dtype: dtype, shape: ShapeSpec(dimensions: dimensions))
    }

    @Test func openDimensions_takeTheBatchOrOne() throws {
        var generator = TensorGenerator(seed: 1, batch: 4)
        let tensors = try generator.tensors(for: [
            spec("a", .float, [-1, 3, -1]), spec("b", .int64, []), spec("c", .string, [2]),
        ])
        #expect(tensors.map(\.tensor.shape.dimensions) == [[4, 3, 1], [], [2]])
    }

    @Test func everyTypeOfANumber_canBeMadeUp() throws {
        let made: [DataType] = [
            .float, .double, .half, .bfloat16, .bool, .uint8, .int8, .int16, .uint16, .int32,
            .uint32, .int64, .uint64, .string,
        ]
        for dtype in made {
            var generator = TensorGenerator(seed: 2)
            let tensor = try generator.tensors(for: [spec("x", dtype, [5])])[0].tensor
            #expect(tensor.dtype == dtype)
            #expect(tensor.shape.dimensions == [5])
        }
        for dtype in Set(DataType.allCases).subtracting(made) {
            var generator = TensorGenerator(seed: 2)
            #expect(throws: ServingError.self) {
                try generator.tensors(for: [spec("x", dtype, [5])])
            }
        }
    }

    @Test func sameSeed_makesTheSame() throws {
        func make(_ seed: UInt64) throws -> [NamedTensor] {
            var generator = TensorGenerator(seed: seed)
            return try generator.tensors(for: [spec("x", .float, [100])])
        }
        #expect(try make(5) == make(5))
        #expect(try make(5) != make(6))
        for value in try make(5)[0].tensor.values(as: Float.self) {
            #expect((0..<1).contains(value))
        }
    }

    @Test func givenShapes_goFirstAndAreChecked() throws {
        var generator = TensorGenerator(seed: 1, shapes: ["x": [1, 2]])
        let tensors = try generator.tensors(for: [spec("x", .float, nil)])
        #expect(tensors[0].tensor.shape.dimensions == [1, 2])
        #expect(throws: ServingError.self) { try generator.tensors(for: [spec("x", .float, [3])]) }
        #expect(throws: ServingError.self) { try generator.tensors(for: [spec("y", .float, [3])]) }
        var other = TensorGenerator(seed: 1)
        #expect(throws: ServingError.self) { try other.tensors(for: [spec("x", .float, nil)]) }
    }

    @Test func tensorsBeyondMemory_areRefused() {
        var generator = TensorGenerator(seed: 1, shapes: ["x": [1 << 20, 1 << 20]])
        #expect(throws: ServingError.self) { try generator.tensors(for: [spec("x", .float, nil)]) }
    }
}
