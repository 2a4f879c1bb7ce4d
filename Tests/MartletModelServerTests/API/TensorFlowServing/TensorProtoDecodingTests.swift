import Foundation
import MartletCore
import MartletProtocols
import MartletTensors
import MartletTestKit
import SwiftProtobuf
import Testing

@testable import MartletModelServer

@Suite("Decoding of protobuf tensors")
struct TensorProtoDecodingTests {
    private func decode(
        _ proto: Tensorflow_TensorProto, limits: Limits = Limits()
    ) throws -> Tensor {
        try Tensor(proto, name: "x", limits: limits)
    }

    private func fault(_ proto: Tensorflow_TensorProto, limits: Limits = Limits()) -> String? {
        let error = #expect(throws: ServingError.self) { try decode(proto, limits: limits) }
        return error?.description
    }

    private func text(_ tensor: Tensor) -> [String] {
        tensor.strings.map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Values

    @Test func cases_areAllTypesButStrings() {
        #expect(Set(DTypeCase.all.map(\.dtype)) == Set(DataType.allCases).subtracting([.string]))
        #expect(DTypeCase.all.count == DataType.allCases.count - 1)
    }

    @Test(arguments: DTypeCase.all)
    func typedValues_ofEveryType_areTaken(example: DTypeCase) throws {
        let expected = try Tensor(dtype: example.dtype, shape: Shape([3]), bytes: example.bytes)
        #expect(try decode(example.proto) == expected)
    }

    @Test(arguments: DTypeCase.all)
    func content_ofEveryType_isTaken(example: DTypeCase) throws {
        let proto = Tensorflow_TensorProto.of(example.proto.dtype, [3, 1]) {
            $0.tensorContent = Data(example.bytes)
        }
        let expected = try Tensor(dtype: example.dtype, shape: Shape([3, 1]), bytes: example.bytes)
        #expect(try decode(proto) == expected)
    }

    @Test(arguments: DTypeCase.all)
    func typedValues_leftOutAltogether_areZeros(example: DTypeCase) throws {
        let tensor = try decode(.of(example.proto.dtype, [2]))
        let size = try #require(example.dtype.byteSize)
        #expect(tensor.storage == .fixed([UInt8](repeating: 0, count: 2 * size)))
    }

    @Test(arguments: DTypeCase.all)
    func typedValues_fewerThanElements_repeatTheLast(example: DTypeCase) throws {
        var proto = example.proto
        proto.tensorShape.dim = [.with { $0.size = 5 }]
        let size = try #require(example.dtype.byteSize)
        let last = Array(example.bytes.suffix(size))
        #expect(try decode(proto).storage == .fixed(example.bytes + last + last))
    }

    @Test(arguments: DTypeCase.all)
    func typedValues_moreThanElements_areRefused(example: DTypeCase) {
        var proto = example.proto
        proto.tensorShape.dim = [.with { $0.size = 2 }]
        #expect(
            fault(proto)
                == "INVALID_ARGUMENT: Input tensor 'x': shape [2] has 2 elements, but 3 values "
                + "were sent")
    }

    @Test(arguments: DTypeCase.all)
    func tensor_withoutElements_isEmpty(example: DTypeCase) throws {
        let tensor = try decode(.of(example.proto.dtype, [0, 7]))
        #expect(tensor == (try Tensor(dtype: example.dtype, shape: Shape([0, 7]), bytes: [])))
    }

    @Test(arguments: DTypeCase.all)
    func content_ofAnotherSize_isRefused(example: DTypeCase) {
        for bytes in [example.bytes.dropLast(), example.bytes + [0]] {
            let proto = Tensorflow_TensorProto.of(example.proto.dtype, [3]) {
                $0.tensorContent = Data(bytes)
            }
            #expect(
                fault(proto)
                    == "INVALID_ARGUMENT: Input tensor 'x': Tensor of type \(example.dtype.name) "
                    + "and shape [3] needs \(example.bytes.count) bytes, but has \(bytes.count)")
        }
    }

    @Test func scalar_isShapeWithoutDimensions() throws {
        let tensor = try decode(.of(.dtFloat, []) { $0.floatVal = [2.5] })
        #expect(tensor == (try Tensor(dtype: .float, shape: .scalar, values: [Float(2.5)])))
    }

    @Test(arguments: [
        (Tensorflow_DataType.dtInt8, Int32(128)), (.dtInt8, -129), (.dtUint8, 256), (.dtUint8, -1),
        (.dtInt16, 32768), (.dtUint16, 65536), (.dtUint16, -1), (.dtQint8, 200), (.dtQuint16, -5),
    ])
    func value_thatDoesNotFitItsType_isRefused(dtype: Tensorflow_DataType, value: Int32) {
        let message = fault(.of(dtype, [1]) { $0.intVal = [value] })
        #expect(message?.hasPrefix("INVALID_ARGUMENT: Input tensor 'x': value \(value) ") == true)
    }

    @Test func complexValues_notInPairs_areRefused() {
        let message = "INVALID_ARGUMENT: Input tensor 'x': complex values come in pairs"
        #expect(fault(.of(.dtComplex64, [2]) { $0.scomplexVal = [1, 2, 3] }) == message)
        #expect(fault(.of(.dtComplex128, [2]) { $0.dcomplexVal = [1] }) == message)
    }

    // MARK: Strings

    @Test func strings_areTakenByteByByte() throws {
        let values = [Data(), Data([0, 0xFF, 0]), Data("é".utf8)]
        let tensor = try decode(.of(.dtString, [3]) { $0.stringVal = values })
        #expect(tensor == (try Tensor(shape: Shape([3]), strings: values.map { [UInt8]($0) })))
    }

    @Test func strings_fewerThanElements_repeatTheLast() throws {
        let tensor = try decode(
            .of(.dtString, [2, 2]) { $0.stringVal = [Data("a".utf8), Data("b".utf8)] })
        #expect(text(tensor) == ["a", "b", "b", "b"])
        #expect(text(try decode(.of(.dtString, [2]))) == ["", ""])
        #expect(text(try decode(.of(.dtString, [0]))) == [])
    }

    @Test func strings_moreThanElements_areRefused() {
        #expect(
            fault(.of(.dtString, [1]) { $0.stringVal = [Data("a".utf8), Data("b".utf8)] })
                == "INVALID_ARGUMENT: Input tensor 'x': shape [1] has 1 elements, but 2 values "
                + "were sent")
    }

    @Test func strings_asContent_areRefused() {
        #expect(
            fault(.of(.dtString, [1]) { $0.tensorContent = Data("a".utf8) })
                == "INVALID_ARGUMENT: Input tensor 'x': string tensors are sent in string_val")
    }

    // MARK: Hostile shapes

    @Test(arguments: [Tensorflow_DataType.dtFloat, .dtString])
    func dimension_negative_isRefused(dtype: Tensorflow_DataType) {
        for sizes in [[-1], [2, -3], [0, -1], [.min]] as [[Int64]] {
            #expect(
                fault(.of(dtype, sizes))
                    == "INVALID_ARGUMENT: Input tensor 'x': Tensor shape "
                    + "[\(sizes.map(String.init).joined(separator: ","))] has a negative dimension")
        }
    }

    @Test(arguments: [Tensorflow_DataType.dtInt8, .dtComplex128, .dtString])
    func shape_whoseProductOverflows_isRefused(dtype: Tensorflow_DataType) {
        let hostile: [[Int64]] = [
            [.max, 2], [1 << 32, 1 << 32], [0, .max, .max], [3, .max / 2], [.max],
        ]
        for sizes in hostile {
            #expect(
                fault(.of(dtype, sizes))?.hasPrefix("INVALID_ARGUMENT: Input tensor 'x'") == true)
        }
    }

    @Test func expansion_atTheLimitAndOneMore_isDoneAndRefused() throws {
        var limits = Limits()
        limits.messageBytes = 4096
        let full = try decode(.of(.dtFloat, [1024]) { $0.floatVal = [7] }, limits: limits)
        #expect(full.values(as: Float.self) == [Float](repeating: 7, count: 1024))
        #expect(
            fault(.of(.dtFloat, [1025]) { $0.floatVal = [7] }, limits: limits)
                == "INVALID_ARGUMENT: Input tensor 'x': shape [1025] needs more than 4096 bytes "
                + "(--max-message-bytes)")
    }

    @Test func expansionOfStrings_atTheLimitAndOneMore_isDoneAndRefused() throws {
        var limits = Limits()
        limits.messageBytes = 4096
        // Each element counts 8 bytes beside its text.
        let eight = Data("12345678".utf8)
        let full = try decode(.of(.dtString, [256]) { $0.stringVal = [eight] }, limits: limits)
        #expect(full.strings.count == 256)
        #expect(
            fault(.of(.dtString, [257]) { $0.stringVal = [eight] }, limits: limits)
                == "INVALID_ARGUMENT: Input tensor 'x': shape [257] needs more than 4096 bytes "
                + "(--max-message-bytes)")
        #expect(fault(.of(.dtString, [513]), limits: limits) != nil)
    }

    @Test func rank_atTheLimitAndOneMore_isTakenAndRefused() throws {
        var limits = Limits()
        limits.tensorRank = 3
        #expect(try decode(.of(.dtFloat, [1, 1, 1]), limits: limits).shape.rank == 3)
        #expect(
            fault(.of(.dtFloat, [1, 1, 1, 1]), limits: limits)
                == "INVALID_ARGUMENT: Input tensor 'x': Tensor shape has 4 dimensions; "
                + "the limit is 3")
    }

    @Test func rank_unknown_isRefused() {
        #expect(
            fault(.of(.dtFloat, []) { $0.tensorShape.unknownRank = true })
                == "INVALID_ARGUMENT: Input tensor 'x': the shape of a tensor must have a known rank"
        )
    }

    @Test(arguments: [
        Tensorflow_DataType.dtInvalid, .dtResource, .dtVariant, .dtInt4, .dtFloatRef,
        .UNRECOGNIZED(99), .UNRECOGNIZED(-1),
    ])
    func dtype_thatCannotBeServed_isRefused(dtype: Tensorflow_DataType) {
        #expect(fault(.of(dtype, [1]))?.hasSuffix(" is not supported") == true)
    }

    @Test func randomProtobufs_giveATensorThatFitsItsShapeOrAnError() throws {
        for seed in SimulationSeeds.first(2000) {
            var random = SeededGenerator(seed: seed)
            let proto = try Tensorflow_TensorProto(
                serializedBytes: Tensorflow_TensorProto.random(&random).serializedData())
            var limits = Limits()
            limits.messageBytes = 4096
            do {
                let tensor = try decode(proto, limits: limits)
                #expect(tensor.byteCount <= 2 * 4096, "\(SimulationSeeds.replay(seed))")
                switch tensor.storage {
                case .fixed(let bytes):
                    #expect(bytes.count == (try tensor.shape.byteCount(of: tensor.dtype)))
                case .strings(let strings):
                    #expect(
                        strings.count == tensor.shape.elementCount,
                        "\(SimulationSeeds.replay(seed))")
                }
            } catch let error as ServingError {
                #expect(error.code == .invalidArgument, "\(SimulationSeeds.replay(seed))")
            }
        }
    }
}

extension Tensorflow_TensorProto {
    fileprivate static func random(_ random: inout SeededGenerator) -> Tensorflow_TensorProto {
        let sizes: [Int64] = [0, 1, 1, 2, 2, 3, 3, 4, 16, -1, 1 << 20, .max]
        let rank = Int.random(in: 0...3, using: &random)
        let dtype = Int.random(in: -1...24, using: &random)
        let count = Int.random(in: 0...6, using: &random)
        let value = Int32.random(in: -300...300, using: &random)
        return .of(
            .init(rawValue: dtype) ?? .dtInvalid,
            (0..<rank).map { _ in sizes.randomElement(using: &random) ?? 0 }
        ) { proto in
            proto.floatVal = .init(repeating: Float(value), count: count)
            proto.doubleVal = .init(repeating: Double(value), count: count)
            proto.intVal = .init(repeating: value, count: count)
            proto.halfVal = .init(repeating: value, count: count)
            proto.int64Val = .init(repeating: Int64(value), count: count)
            proto.uint32Val = .init(repeating: 7, count: count)
            proto.uint64Val = .init(repeating: 7, count: count)
            proto.boolVal = .init(repeating: true, count: count)
            proto.scomplexVal = .init(repeating: 1, count: count)
            proto.dcomplexVal = .init(repeating: 1, count: count)
            proto.stringVal = .init(repeating: Data(count: Int(value.magnitude)), count: count)
            if value > 200 { proto.tensorContent = Data(count: count * 4) }
        }
    }
}
