import Foundation
import MartletCore
import MartletProtocols
import MartletTensors
import SwiftProtobuf
import Testing

@testable import MartletModelServer

@Suite("Open Inference messages")
struct InferMessagesTests {
    private typealias Input = Inference_ModelInferRequest.InferInputTensor

    private func input(
        _ datatype: String, _ shape: [Int64], _ fill: (inout Inference_InferTensorContents) -> Void
    ) -> Inference_ModelInferRequest {
        .with { request in
            request.inputs = [
                .with {
                    $0.name = "x"
                    $0.datatype = datatype
                    $0.shape = shape
                    fill(&$0.contents)
                }
            ]
        }
    }

    private func decode(_ request: Inference_ModelInferRequest) throws -> InferRequest {
        try InferRequest(request, limits: Limits())
    }

    private func reason(_ request: Inference_ModelInferRequest) -> String {
        do {
            _ = try decode(request)
            return "none"
        } catch {
            return (error as? ServingError)?.message ?? "\(error)"
        }
    }

    @Test func typedContents_ofEachType_areDecoded() throws {
        func bytes(_ request: Inference_ModelInferRequest) throws -> [UInt8] {
            guard case .fixed(let bytes)? = try decode(request).inputs.first?.tensor.storage else {
                return []
            }
            return bytes
        }
        #expect(try bytes(input("BOOL", [2]) { $0.boolContents = [true, false] }) == [1, 0])
        #expect(try bytes(input("INT8", [2]) { $0.intContents = [-1, 2] }) == [255, 2])
        #expect(try bytes(input("INT16", [1]) { $0.intContents = [-2] }) == [254, 255])
        #expect(try bytes(input("INT32", [1]) { $0.intContents = [1] }) == [1, 0, 0, 0])
        #expect(try bytes(input("INT64", [1]) { $0.int64Contents = [-1] }).count == 8)
        #expect(try bytes(input("UINT8", [1]) { $0.uintContents = [255] }) == [255])
        #expect(try bytes(input("UINT16", [1]) { $0.uintContents = [258] }) == [2, 1])
        #expect(try bytes(input("UINT32", [1]) { $0.uintContents = [1] }) == [1, 0, 0, 0])
        #expect(try bytes(input("UINT64", [1]) { $0.uint64Contents = [.max] }).count == 8)
        #expect(try bytes(input("FP32", [1]) { $0.fp32Contents = [1] }) == [0, 0, 128, 63])
        #expect(try bytes(input("FP64", []) { $0.fp64Contents = [1] }).count == 8)
        let words = try decode(input("BYTES", [2]) { $0.bytesContents = [Data([1]), Data()] })
        #expect(words.inputs.first?.tensor.strings == [[1], []])
    }

    @Test func typedContents_thatDoNotFit_areRefused() {
        #expect(reason(input("INT8", [1]) { $0.intContents = [128] }).contains("does not fit"))
        #expect(reason(input("FP32", [2]) { $0.fp32Contents = [1] }).contains("needs 8 bytes"))
        #expect(reason(input("FP32", [1]) { $0.fp64Contents = [1] }).contains("has 0"))
        #expect(reason(input("FP16", [1]) { _ in }).contains("raw_input_contents"))
        #expect(reason(input("FP32", [-1]) { _ in }).contains("negative"))
        #expect(reason(input("FP32", [.max, .max]) { _ in }).contains("more elements"))
        #expect(reason(input("BYTES", [1 << 40]) { _ in }).contains("needs 1099511627776"))
        #expect(reason(input("QINT8", [1]) { _ in }).contains("unknown datatype"))
    }

    @Test func rawContents_mustFitTheInputs() {
        var request = Inference_ModelInferRequest()
        request.inputs = [
            .with {
                $0.name = "x"
                $0.datatype = "FP32"
                $0.shape = [1]
            }
        ]
        request.rawInputContents = [Data([0, 0, 128, 63])]
        #expect(reason(request) == "none")
        request.rawInputContents = [Data([0, 0, 128])]
        #expect(reason(request).contains("expected 4 bytes"))
        request.rawInputContents = [Data(), Data()]
        #expect(reason(request).contains("2 raw_input_contents"))
        request.rawInputContents = [Data([0, 0, 128, 63])]
        request.inputs[0].contents.fp32Contents = [1]
        #expect(reason(request).contains("must not be specified"))
        request.inputs[0].clearContents()
        request.inputs[0].parameters["shared_memory_region"] = .init()
        #expect(reason(request).contains("must be a string_param"))
        request.inputs[0].parameters = [:]
        request.outputs = [
            .with {
                $0.name = "y"
                $0.parameters["classification"] = .init()
            }
        ]
        #expect(reason(request).contains("classification"))
    }

    /// Shared memory of one region, `r`, that holds a number of four bytes.
    private final class OneNumber: SharedMemory {
        func read(_ slice: SharedMemorySlice) throws -> [UInt8] {
            guard slice.region == "r" else { throw ServingError.notFound("no such region") }
            return Array([0, 0, 128, 63].prefix(slice.byteCount))
        }

        func check(_ slice: SharedMemorySlice, of place: String) throws {
            guard slice.region == "r" else { throw ServingError.notFound("\(place): no region") }
        }

        func write(_ bytes: [UInt8], to slice: SharedMemorySlice) throws {}
    }

    @Test func tensorsInSharedMemory_haveNoContentsInTheMessage() throws {
        var request = Inference_ModelInferRequest()
        request.inputs = ["a", "b", "c"].map { name in
            .with {
                $0.name = name
                $0.datatype = "FP32"
                $0.shape = [1]
            }
        }
        request.rawInputContents = [Data([1, 1, 1, 1]), Data([3, 3, 3, 3])]
        request.inputs[1].parameters["shared_memory_region"] = .with { $0.stringParam = "r" }
        request.inputs[1].parameters["shared_memory_byte_size"] = .with { $0.int64Param = 4 }
        request.outputs = [
            .with {
                $0.name = "y"
                $0.parameters["shared_memory_region"] = .with { $0.stringParam = "r" }
                $0.parameters["shared_memory_byte_size"] = .with { $0.uint64Param = 8 }
                $0.parameters["shared_memory_offset"] = .with { $0.int64Param = 4 }
            }
        ]
        func decode() throws -> InferRequest {
            try InferRequest(request, limits: Limits(), sharedMemory: OneNumber())
        }
        let decoded = try decode()
        #expect(decoded.inputs.map { $0.tensor.values(as: UInt8.self).first } == [1, 0, 3])
        #expect(
            decoded.outputs.first?.sharedMemory
                == SharedMemorySlice(region: "r", offset: 4, byteCount: 8))
        #expect(reason(request).contains("not available here"))
        let output = NamedTensor(
            name: "y", tensor: try Tensor(dtype: .float, shape: Shape([1]), values: [Float(1)]))
        let response = try Inference_ModelInferResponse(
            ServableID(model: "m", version: 1), request: decoded, outputs: [output],
            sharedMemory: OneNumber())
        #expect(response.rawOutputContents == [Data()])
        #expect(
            response.outputs.first?.parameters["shared_memory_byte_size"]?.int64Param == 4)
        request.inputs[1].parameters["shared_memory_byte_size"] = .with { $0.int64Param = -1 }
        #expect(throws: ServingError.self) { try decode() }
        request.inputs[1].parameters["shared_memory_byte_size"] = .with { $0.int64Param = 3 }
        #expect(throws: ServingError.self) { try decode() }
        request.inputs[1].parameters["shared_memory_byte_size"] = .with { $0.int64Param = 4 }
        request.inputs[1].contents.fp32Contents = [1]
        #expect(throws: ServingError.self) { try decode() }
        request.inputs[1].clearContents()
        request.outputs[0].parameters["shared_memory_region"] = .with { $0.stringParam = "s" }
        #expect(throws: ServingError.self) { try decode() }
    }

    @Test func inputsOfOneName_areRefused() {
        var request = input("FP32", [1]) { $0.fp32Contents = [1] }
        request.inputs += request.inputs
        #expect(reason(request).contains("given twice"))
    }

    @Test func signature_isAParameter() throws {
        var request = Inference_ModelInferRequest()
        request.parameters["signature_name"] = .with { $0.stringParam = "s" }
        #expect(try decode(request).signatureName == "s")
        request.parameters["signature_name"] = .with { $0.int64Param = 1 }
        #expect(reason(request).contains("string_param"))
    }
}
