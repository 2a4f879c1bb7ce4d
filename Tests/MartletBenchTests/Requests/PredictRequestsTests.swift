import Foundation
import MartletCore
import MartletProtocols
import MartletTensors
import MartletTransport
import SwiftProtobuf
import Testing

@testable import MartletBench

@Suite("Requests of made-up tensors")
struct PredictRequestsTests {
    private let inputs = [
        TensorSpec(
            name: "x", graphName: "", dtype: .float, shape: ShapeSpec(dimensions: [-1, 2]))
    ]

    private func requests(_ api: BenchAPI, variants: Int = 1) throws -> BenchRequests {
        try PredictRequests.generated(
            ModelChoice(model: "m/1", version: 3, signature: "s"), api, inputs: inputs,
            generator: TensorGenerator(seed: 1), variants: variants)
    }

    @Test func predictOverGRPC_isAPredictRequest() throws {
        let made = try requests(.grpc)
        let message = try Tensorflow_Serving_PredictRequest(
            serializedBytes: made.requests[0].body)
        #expect(message.modelSpec.name == "m/1")
        #expect(message.modelSpec.version.value == 3)
        #expect(message.modelSpec.signatureName == "s")
        #expect(message.inputs["x"]?.tensorContent.count == 8)
        #expect(message.inputs["x"]?.tensorShape.dim.map(\.size) == [1, 2])
        #expect(made.description == "x float [1,2]")
    }

    @Test func predictOverREST_namesTheModelInItsPath() throws {
        let request = try requests(.rest).requests[0]
        #expect(request.path == "/v1/models/m%2F1/versions/3:predict")
        let body = try JSONValue(parsing: request.body, limits: Limits())
        #expect(body["signature_name"] == .text("s"))
        #expect(body["inputs"]?["x"]?.elements.first?.elements.count == 2)
    }

    @Test func openInference_hasShapesAndFlatData() throws {
        let request = try requests(.oip).requests[0]
        #expect(request.path == "/v2/models/m%2F1/versions/3/infer")
        let input = try JSONValue(parsing: request.body, limits: Limits())["inputs"]?.elements.first
        #expect(input?["datatype"] == .text("FP32"))
        #expect(input?["shape"]?.elements.count == 2)
        #expect(input?["data"]?.elements.count == 2)
        let message = try Inference_ModelInferRequest(
            serializedBytes: try requests(.oipGRPC).requests[0].body)
        #expect(message.modelVersion == "3")
        #expect(message.rawInputContents.map(\.count) == [8])
    }

    @Test func variants_differ() throws {
        let bodies = try requests(.rest, variants: 8).requests.map(\.body)
        #expect(Set(bodies).count == 8)
    }

    @Test func completions_askAsClientsOfOpenAIDo() throws {
        var completion = CompletionRequests(model: "llama", prompt: "Say \"hi\"")
        completion.tokensMax = 5
        let chat = completion.requests().requests[0]
        #expect(chat.path == "/v1/chat/completions")
        let body = try JSONValue(parsing: chat.body, limits: Limits())
        #expect(body["messages"]?.elements.first?["content"] == .text("Say \"hi\""))
        #expect(body["stream"] == .bool(true))
        #expect(body["max_tokens"] == .integer(5))
        completion.function = .completions
        completion.isStreaming = false
        let plain = completion.requests()
        #expect(plain.requests[0].path == "/v1/completions")
        #expect(!plain.isStreaming)
        #expect(try JSONValue(parsing: plain.requests[0].body, limits: Limits())["stream"] == nil)
    }
}

@Suite("Descriptions of models")
struct SignatureDocumentsTests {
    @Test func metadataOfTensorFlowServing_isRead() throws {
        let text = """
            {"model_spec":{"name":"m"},"metadata":{"signature_def":{"signature_def":{
            "serving_default":{"inputs":{"x":{"dtype":"DT_FLOAT","tensor_shape":
            {"dim":[{"size":"-1","name":""},{"size":"4","name":""}],"unknown_rank":false},
            "name":"x:0"},"y":{"dtype":"DT_STRING","tensor_shape":{"dim":[],
            "unknown_rank":true}}}}}}}}
            """
        let inputs = try SignatureDocuments.inputs(
            Array(text.utf8), ModelChoice(model: "m")
        ).sorted { $0.name < $1.name }
        #expect(inputs.map(\.name) == ["x", "y"])
        #expect(inputs.map(\.dtype) == [.float, .string])
        #expect(inputs.map(\.shape.dimensions) == [[-1, 4], nil])
        let failure = #expect(throws: ServingError.self) {
            try SignatureDocuments.inputs(
                Array(text.utf8), ModelChoice(model: "m", signature: "other"))
        }
        #expect(failure?.message.contains("'serving_default'") == true)
    }

    @Test func metadataOfOpenInference_isRead() throws {
        let text = """
            {"name":"m","inputs":[{"name":"x","datatype":"INT64","shape":[-1,2]}]}
            """
        let inputs = try SignatureDocuments.openInferenceInputs(Array(text.utf8))
        #expect(inputs.map(\.dtype) == [.int64])
        #expect(inputs.map(\.shape.dimensions) == [[-1, 2]])
    }
}
