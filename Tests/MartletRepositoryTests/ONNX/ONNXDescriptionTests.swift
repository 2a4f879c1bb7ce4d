import Foundation
import MartletCore
import MartletProtocols
import MartletTensors
import SwiftProtobuf
import Testing

@testable import MartletRepository

struct ONNXDescriptionTests {
    private func describe(
        _ file: [UInt8], beside others: [String: Int] = [:]
    ) throws -> ONNXDescription {
        let folder = try TemporaryFolder()
        try Data(file).write(to: URL(fileURLWithPath: "\(folder.path)/model.onnx"))
        for (name, size) in others {
            try Data(count: size).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
        }
        return try withExtendedLifetime(folder) { try ONNXDescription(folder: folder.path) }
    }

    private func refusal(
        beside others: [String: Int] = [:], _ change: (inout Onnx_ModelProto) -> Void
    ) throws -> String {
        let file = try ONNXSample.model(change)
        let error = #expect(throws: ServingError.self) { try describe(file, beside: others) }
        #expect(error?.code == .invalidArgument)
        return error?.message ?? ""
    }

    @Test func model_hasOneSignatureOfItsInputsAndOutputs() throws {
        let description = try describe(try ONNXSample.model())
        let shape = ShapeSpec(dimensions: [-1, 4])
        let spec = { TensorSpec(name: $0, graphName: $0, dtype: .float, shape: shape) }
        let signature = try #require(description.signatures.first)
        #expect(description.signatures.count == 1)
        #expect(signature.name == Signature.defaultName)
        // The constant is no input, although the file lists it.
        #expect(signature.inputs == [spec("x")])
        #expect(signature.outputs == [spec("y")])
        #expect(description.signatureDefs[Signature.defaultName]?.inputs["x"]?.dtype == .dtFloat)
        #expect(description.fileBytes > 0)
    }

    @Test func folderWithoutModel_isNotFound() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: ServingError.self) {
            try ONNXDescription(folder: folder.path)
        }
        #expect(error?.code == .notFound)
    }

    @Test func fileCutShort_isRefusedAtEachLength() throws {
        let file = try ONNXSample.model()
        #expect(throws: Never.self) { try describe(file) }
        for length in file.indices {
            #expect(throws: ServingError.self) { try describe(Array(file.prefix(length))) }
        }
    }

    @Test(arguments: [[-1], [1 << 40], [1 << 20, 1 << 20, 1 << 30]])
    func constantOfImpossibleShape_isRefused(dims: [Int64]) throws {
        _ = try refusal { $0.graph.initializer[0].dims = dims }
        // In the body of a loop, too.
        _ = try refusal { model in
            model.graph.node[0].attribute = [
                .with { $0.g.initializer = [.with { $0.dims = dims }] }
            ]
        }
        _ = try refusal { model in
            model.graph.node[0].attribute = [.with { $0.t.dims = dims }]
        }
    }

    @Test(arguments: [
        "", "/etc/passwd", "../weights", "a/../../weights", "a\\..\\weights", "we\0ights", "absent",
    ])
    func constantInAFileOutsideOfTheFolder_isRefused(location: String) throws {
        let message = try refusal(beside: ["weights": 100]) { model in
            model.graph.initializer[0].dataLocation = 1
            model.graph.initializer[0].externalData = [
                .with {
                    $0.key = "location"
                    $0.value = location
                }
            ]
        }
        #expect(message.contains("not in the model's folder"))
    }

    @Test(arguments: [("0", "101"), ("50", "51"), ("101", "0"), ("-1", "1"), ("x", "1")])
    func constantBeyondTheEndOfItsFile_isRefused(offset: String, length: String) throws {
        _ = try refusal(beside: ["weights": 100]) { model in
            model.graph.initializer[0].externalData = [
                ("location", "weights"), ("offset", offset), ("length", length),
            ].map { pair in
                .with {
                    $0.key = pair.0
                    $0.value = pair.1
                }
            }
        }
    }

    @Test func constantInAFileBeside_isTaken() throws {
        let file = try ONNXSample.model { model in
            model.graph.initializer[0].externalData = [
                ("location", "weights"), ("offset", "96"), ("length", "4"),
            ].map { pair in
                .with {
                    $0.key = pair.0
                    $0.value = pair.1
                }
            }
        }
        #expect(throws: Never.self) { try describe(file, beside: ["weights": 100]) }
    }

    @Test func graphsNestedTooDeeply_areRefused() throws {
        var graph = Onnx_GraphProto.with { $0.node = [.with { $0.opType = "Add" }] }
        for _ in 0..<ONNXDescription.maximumDepth {
            let inner = graph
            graph = .with { outer in
                outer.node = [.with { $0.attribute = [.with { $0.g = inner }] }]
            }
        }
        let deep = graph
        #expect(try refusal { $0.graph.node[0].attribute = [.with { $0.g = deep }] } != "")
    }

    @Test func inputsThatNoRequestCanHold_areRefused() throws {
        _ = try refusal { $0.graph.input = [ONNXSample.tensor("x", type: 99)] }
        _ = try refusal { $0.graph.input = [.with { $0.name = "x" }] }
        _ = try refusal { $0.graph.input = [ONNXSample.tensor("x"), ONNXSample.tensor("x")] }
        _ = try refusal { $0.graph.output = [] }
        _ = try refusal { $0.graph.input[0].type.tensorType.shape.dim[1].dimValue = -5 }
        _ = try refusal { model in
            model.graph.input[0].type.tensorType.shape.dim = Array(
                repeating: .with { $0.dimValue = 1 }, count: 1000)
        }
    }
}
