import Foundation
import MartletCore
import MartletProtocols
import MartletTensors
import MartletTestKit
import SwiftProtobuf
import Testing

@testable import MartletModelServer

/// The scanner and the writer of predict messages against the general codec of protobuf.
@Suite("Predict messages on the wire")
struct PredictWireTests {
    private static let seeds: UInt64 = 4000
    private let limits = Limits()

    // MARK: Requests

    @Test func request_asClientsWriteIt_isReadWithoutTheGeneralDecoder() throws {
        for seed in 0..<Self.seeds {
            var random = SeededGenerator(seed: seed)
            let request = try Self.request(&random)
            let bytes: [UInt8] = try request.serializedBytes()
            let wire = try #require(
                PredictRequestWire(bytes, limits: limits), "seed \(seed)")
            try expect(wire, isLike: request, seed: seed)
        }
    }

    @Test func request_damaged_isReadAsTheGeneralDecoderReadsIt_orLeftToIt() throws {
        var read = 0
        for seed in 0..<Self.seeds {
            var random = SeededGenerator(seed: seed)
            var bytes: [UInt8] = try Self.request(&random).serializedBytes()
            Self.damage(&bytes, &random)
            guard let wire = PredictRequestWire(bytes, limits: limits) else { continue }
            read += 1
            let request = try Tensorflow_Serving_PredictRequest(serializedBytes: bytes)
            try expect(wire, isLike: request, seed: seed)
        }
        // Most damage is to values, which are as good as others.
        #expect(read > 300)
    }

    @Test func request_cutAnywhere_isLeftToTheGeneralDecoder_orAsItReadsIt() throws {
        var random = SeededGenerator(seed: 7)
        let bytes: [UInt8] = try Self.request(&random).serializedBytes()
        for end in 0..<bytes.count {
            let part = Array(bytes[..<end])
            guard let wire = PredictRequestWire(part, limits: limits) else { continue }
            let request = try Tensorflow_Serving_PredictRequest(serializedBytes: part)
            try expect(wire, isLike: request, seed: UInt64(end))
        }
    }

    @Test func request_withNamesTwice_isLeftToTheGeneralDecoder() throws {
        var random = SeededGenerator(seed: 1)
        let bytes: [UInt8] = try Self.request(&random).serializedBytes()
        #expect(PredictRequestWire(bytes + bytes, limits: limits) == nil)
    }

    @Test func tensor_thatExpandsBeyondTheLimit_isLeftToTheGeneralDecoder() throws {
        var limits = Limits()
        limits.messageBytes = 64
        let proto = Tensorflow_TensorProto(
            try Tensor(dtype: .int64, shape: Shape([9]), values: [Int64](repeating: 1, count: 9)))
        let bytes: [UInt8] = try proto.serializedBytes()
        #expect(bytes.count < 64)
        #expect(bytes.withUnsafeBytes { Tensor(protobuf: $0, limits: limits) } == nil)
        #expect(bytes.withUnsafeBytes { Tensor(protobuf: $0, limits: Limits()) } != nil)
    }

    @Test func tensor_thatDeclaresMoreThanItHas_isLeftToTheGeneralDecoder() throws {
        let proto = Tensorflow_TensorProto.of(.dtFloat, [1 << 40]) { $0.floatVal = [1] }
        let bytes: [UInt8] = try proto.serializedBytes()
        #expect(bytes.withUnsafeBytes { Tensor(protobuf: $0, limits: limits) } == nil)
    }

    // MARK: Responses

    @Test(arguments: [false, true])
    func response_isWhatTheGeneralEncoderWrites(asContent: Bool) throws {
        for seed in 0..<Self.seeds {
            var random = SeededGenerator(seed: seed)
            let outputs = try (0..<Int.random(in: 0...3, using: &random)).map {
                NamedTensor(name: "output_\($0)", tensor: try Self.tensor(&random))
            }
            let spec = ModelSpecWire(
                name: "model", version: Int64.random(in: 0...3, using: &random),
                signatureName: "serving_default")
            let bytes = PredictResponseWire.encode(outputs, modelSpec: spec, asContent: asContent)
            let response = try Tensorflow_Serving_PredictResponse(serializedBytes: bytes)
            let expected = Tensorflow_Serving_PredictResponse.with {
                $0.modelSpec.name = spec.name
                $0.modelSpec.version.value = spec.version ?? 0
                $0.modelSpec.signatureName = spec.signatureName
                for output in outputs {
                    $0.outputs[output.name] = Tensorflow_TensorProto(
                        output.tensor, asContent: asContent)
                }
            }
            // As bytes, because what is not a number is not equal to itself.
            let plain: [UInt8] = try expected.serializedBytes()
            #expect(bytes.count == plain.count, "seed \(seed)")
            if outputs.count <= 1 { #expect(bytes == plain, "seed \(seed)") }
            #expect(response.outputs.count == outputs.count, "seed \(seed)")
        }
    }

    // MARK: -

    private func expect(
        _ wire: PredictRequestWire, isLike request: Tensorflow_Serving_PredictRequest, seed: UInt64
    ) throws {
        #expect((wire.modelSpec != nil) == request.hasModelSpec, "seed \(seed)")
        if request.hasModelSpec {
            var subject = RequestSubject(operation: "predict")
            let target = try PredictCall.plain(wire).target(&subject)
            let expected = try PredictCall.message(request).target(&subject)
            #expect(target.model == expected.model, "seed \(seed)")
            #expect(target.version == expected.version, "seed \(seed)")
            #expect(target.signatureName == expected.signatureName, "seed \(seed)")
        }
        #expect(wire.outputFilter == request.outputFilter, "seed \(seed)")
        let inputs = try PredictCall.message(request).inputs(defaults: nil, limits: limits)
        #expect(
            wire.inputs.sorted { $0.name < $1.name } == inputs.sorted { $0.name < $1.name },
            "seed \(seed)")
    }

    private static func request(
        _ random: inout SeededGenerator
    ) throws -> Tensorflow_Serving_PredictRequest {
        try .with { request in
            request.modelSpec.name = "half_plus_two"
            switch Int.random(in: 0...3, using: &random) {
            case 0: request.modelSpec.version.value = Int64.random(in: 0...9, using: &random)
            case 1: request.modelSpec.versionLabel = "stable"
            case 2: request.modelSpec.signatureName = "serving_default"
            default: break
            }
            for index in 0..<Int.random(in: 0...2, using: &random) {
                request.inputs["input_\(index)"] = Tensorflow_TensorProto(
                    try tensor(&random), asContent: Bool.random(using: &random))
            }
            if Bool.random(using: &random) { request.outputFilter = ["y", "z"] }
        }
    }

    private static func tensor(_ random: inout SeededGenerator) throws -> Tensor {
        let types = DataType.allCases
        let dtype = types[Int.random(in: 0..<types.count, using: &random)]
        let dimensions = (0..<Int.random(in: 0...3, using: &random)).map { _ in
            Int.random(in: 0...4, using: &random)
        }
        let shape = try Shape(dimensions)
        guard let size = dtype.byteSize else {
            let strings = (0..<shape.elementCount).map { _ in
                (0..<Int.random(in: 0...5, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            }
            return try Tensor(shape: shape, strings: strings)
        }
        let most: UInt8 = dtype == .bool ? 1 : 255
        let bytes = (0..<(shape.elementCount * size)).map { _ in
            UInt8.random(in: 0...most, using: &random)
        }
        return try Tensor(dtype: dtype, shape: shape, bytes: bytes)
    }

    private static func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0...3, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            default: if bytes.count > 1 { bytes.remove(at: place) }
            }
        }
    }
}
