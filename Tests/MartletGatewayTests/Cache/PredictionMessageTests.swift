import Foundation
import MartletProtocols
import MartletTestKit
import SwiftProtobuf
import Testing

@testable import MartletGateway

@Suite("What a gRPC prediction asks")
struct PredictionMessageTests {
    private static let predictions = "/tensorflow.serving.PredictionService/"
    private static let predict = predictions + "Predict"
    private static let infer = "/inference.GRPCInferenceService/ModelInfer"

    private func message(_ path: String, bytes: [UInt8], flag: UInt8 = 0) -> PredictionMessage? {
        PredictionCall(grpcPath: path).flatMap {
            PredictionMessage($0, frame: callFrame(bytes, flag: flag))
        }
    }

    private func read(_ path: String, _ message: some Message) throws -> PredictionMessage {
        try #require(self.message(path, bytes: message.serializedBytes()))
    }

    private func tensor(_ values: Float...) -> Tensorflow_TensorProto {
        var tensor = Tensorflow_TensorProto()
        tensor.dtype = .dtFloat
        tensor.floatVal = values
        return tensor
    }

    private func request(
        _ change: (inout Tensorflow_Serving_PredictRequest) -> Void = { _ in }
    ) -> Tensorflow_Serving_PredictRequest {
        var request = Tensorflow_Serving_PredictRequest()
        request.modelSpec.name = "half"
        request.inputs = ["x": tensor(1), "y": tensor(2)]
        change(&request)
        return request
    }

    private func inference(
        _ change: (inout Inference_ModelInferRequest) -> Void = { _ in }
    ) -> Inference_ModelInferRequest {
        var request = Inference_ModelInferRequest()
        request.modelName = "half"
        var input = Inference_ModelInferRequest.InferInputTensor()
        (input.name, input.datatype, input.shape) = ("x", "FP32", [1])
        request.inputs = [input]
        request.rawInputContents = [Data([0, 0, 128, 63])]
        change(&request)
        return request
    }

    private func key(_ message: PredictionMessage?, tenant: String = "acme") throws -> CacheKey {
        try #require(message).key(
            tenant: tenant, source: AnswerSource(pool: "p"), operation: "op", by: .test)
    }

    // MARK: Names

    @Test func modelVersionAndSignature_areReadAsTheyWereWritten() throws {
        let named = try read(
            Self.predict,
            request {
                $0.modelSpec.version.value = 7
                $0.modelSpec.signatureName = "other"
            })
        #expect(named.model == "half" && named.signature == "other")
        #expect(named.version == .number(7))
        #expect(try read(Self.predict, request()).version == .latest)
        let label = try read(Self.predict, request { $0.modelSpec.versionLabel = "new" })
        #expect(label.version == .label("new") && label.signature.isEmpty)
        let infer = try read(Self.infer, inference { $0.modelVersion = "7" })
        #expect(infer.model == "half" && infer.version == .number(7))
        #expect(try read(Self.infer, inference()).version == .latest)
    }

    @Test func names_areNoPartOfTheInput() throws {
        let one = try read(Self.predict, request())
        let other = try read(
            Self.predict,
            request {
                $0.modelSpec.name = "third"
                $0.modelSpec.signatureName = "other"
            })
        #expect(one.input == other.input)
        #expect(try key(one) != key(other))
    }

    // MARK: Input

    /// Maps are written in an order that differs from one process, and from one map, to another.
    @Test func mapsInAnyOrder_areOneInput() throws {
        let names = (0..<20).map { "input\($0)" }
        let expected = try read(
            Self.predict,
            request { $0.inputs = Dictionary(uniqueKeysWithValues: names.map { ($0, tensor(1)) }) })
        for seed in SimulationSeeds.first(50) {
            var generator = SeededGenerator(seed: seed)
            var parts = try names.map { name in
                var part = Tensorflow_Serving_PredictRequest()
                part.inputs = [name: tensor(1)]
                return try part.serializedBytes() as [UInt8]
            }
            var named = Tensorflow_Serving_PredictRequest()
            named.modelSpec.name = "half"
            parts.append(try named.serializedBytes())
            parts.shuffle(using: &generator)
            let shuffled = message(Self.predict, bytes: Array(parts.joined()))
            #expect(shuffled == expected, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func requestsThatDifferInAnything_haveDifferentKeys() throws {
        let requests = [
            request(), request { $0.inputs["x"] = tensor(2) },
            request { $0.inputs["z"] = tensor(1) },
            request { $0.inputs["y"] = nil }, request { $0.outputFilter = ["a", "b"] },
            request { $0.outputFilter = ["b", "a"] }, request { $0.clientID = Data([1]) },
            request { $0.requestOptions.maxCacheLength = 1 },
            request { $0.modelSpec.name = "third" }, request { $0.modelSpec.version.value = 1 },
            request { $0.modelSpec.versionLabel = "1" },
            request { $0.modelSpec.signatureName = "serving_default" },
            request { $0.inputs = ["x": tensor(1, 2)] }, request { $0.inputs = [:] },
        ]
        let keys = try requests.map { try key(read(Self.predict, $0)) }
        #expect(Set(keys).count == keys.count)
        #expect(try !keys.contains(key(read(Self.predict, request()), tenant: "other")))
        let inferences = [
            inference(), inference { $0.id = "1" }, inference { $0.rawInputContents = [Data([1])] },
            inference { $0.inputs[0].name = "y" }, inference { $0.inputs.append($0.inputs[0]) },
            inference { $0.outputs = [.init()] }, inference { $0.modelVersion = "1" },
            inference { $0.parameters["priority"] = .init() },
        ]
        let others = try inferences.map { try key(read(Self.infer, $0)) }
        #expect(Set(others + keys).count == others.count + keys.count)
    }

    @Test func listsInAnotherOrder_areOtherInputs() throws {
        let two = inference { $0.rawInputContents = [Data([1]), Data([2])] }
        let turned = inference { $0.rawInputContents = [Data([2]), Data([1])] }
        #expect(try read(Self.infer, two) != read(Self.infer, turned))
        let first = inference {
            $0.parameters = ["a": .init(), "b": .init()]
        }
        #expect(try read(Self.infer, first) == read(Self.infer, first))
    }

    @Test func examples_areInputsOfTheirOwnMethods() throws {
        var classification = Tensorflow_Serving_ClassificationRequest()
        classification.modelSpec.name = "half"
        classification.input.exampleList.examples = [.init(), .init()]
        var regression = Tensorflow_Serving_RegressionRequest()
        regression.modelSpec.name = "half"
        regression.input.exampleList.examples = [.init(), .init()]
        let one = try read(Self.predictions + "Classify", classification)
        let other = try read(Self.predictions + "Regress", regression)
        #expect(one == other)
        let source = AnswerSource(pool: "p")
        // It is the operation that tells them apart.
        #expect(
            one.key(tenant: "a", source: source, operation: "Classify", by: .test)
                != other.key(tenant: "a", source: source, operation: "Regress", by: .test))
    }

    @Test func messageAndBytesAlike_haveDifferentDigests() throws {
        let message = try read(Self.predict, request())
        #expect(
            InputDigester.test.digest(message: message)
                != InputDigester.test.digest(bytes: message.input))
    }

    // MARK: What is not cached

    @Test func mapWithANameTwice_isNotCached() throws {
        let bytes: [UInt8] = try request().serializedBytes()
        for value in [tensor(1), tensor(9)] {
            var again = Tensorflow_Serving_PredictRequest()
            again.inputs = ["x": value]
            #expect(message(Self.predict, bytes: bytes + (try again.serializedBytes())) == nil)
        }
        // An entry without a name has an empty one.
        var unnamed = Tensorflow_Serving_PredictRequest()
        unnamed.inputs = ["": tensor(1)]
        let empty: [UInt8] = try unnamed.serializedBytes()
        #expect(message(Self.predict, bytes: bytes + empty) != nil)
        #expect(message(Self.predict, bytes: bytes + empty + [0x12, 0x00]) == nil)
    }

    /// What lies in shared memory is not what the message says.
    @Test func tensorsInSharedMemory_areNotCached() throws {
        func cached(_ change: (inout Inference_ModelInferRequest) -> Void) throws -> Bool {
            message(Self.infer, bytes: try inference(change).serializedBytes()) != nil
        }
        #expect(try cached { $0.inputs[0].parameters["binary_data_size"] = .init() })
        for name in ["shared_memory_region", "shared_memory_offset", "shared_memory"] {
            #expect(try !cached { $0.inputs[0].parameters[name] = .init() })
            #expect(
                try !cached {
                    $0.outputs = [.init()]
                    $0.outputs[0].parameters[name] = .init()
                })
            // It says nothing but on a tensor.
            #expect(try cached { $0.parameters[name] = .init() })
        }
        let bytes: [UInt8] = try inference().serializedBytes()
        #expect(message(Self.infer, bytes: bytes + [0x2A, 0x02, 0x22, 0x05]) == nil)
    }

    @Test func messagesThatAreNotUnderstood_areNotCached() throws {
        let bytes: [UInt8] = try request().serializedBytes()
        #expect(message(Self.predict, bytes: bytes) != nil)
        #expect(message(Self.predict, bytes: bytes, flag: 1) == nil)
        let call = try #require(PredictionCall(grpcPath: Self.predict))
        #expect(PredictionMessage(call, frame: callFrame(bytes) + callFrame(bytes)) == nil)
        #expect(PredictionMessage(call, frame: Array(callFrame(bytes).dropLast())) == nil)
        #expect(message(Self.predictions + "MultiInference", bytes: bytes) == nil)
        // Unknown fields, in the message and in its specification; a known one of another kind.
        for unknown: [UInt8] in [
            [0x42, 0x00], [0x18, 0x01], [0x0A, 0x02, 0x28, 0x01], [0x12, 0x09],
        ] {
            #expect(message(Self.predict, bytes: bytes + unknown) == nil, "\(unknown)")
        }
        #expect(message(Self.predict, bytes: []) == nil)
        let many = [UInt8](
            repeatElement([0x1A, 0x00], count: PredictionMessage.fieldsMax).joined())
        #expect(message(Self.predict, bytes: bytes + many) == nil)
        #expect(message(Self.predict, bytes: bytes + many.dropLast(20)) != nil)
    }

    /// What two messages have in common is what a node reads from both alike.
    @Test func messagesOfOneKey_meanTheSame() throws {
        let good: [UInt8] = try request { $0.outputFilter = ["a"] }.serializedBytes()
        var known: [PredictionMessage: Tensorflow_Serving_PredictRequest] = [:]
        for seed in SimulationSeeds.first(5000) {
            var generator = SeededGenerator(seed: seed)
            var bytes = good
            if Bool.random(using: &generator) { bytes += good.suffix(3) }
            for _ in 0..<Int.random(in: 0...2, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
                    in: 0...16, using: &generator)
            }
            guard let read = message(Self.predict, bytes: bytes),
                let meant = try? Tensorflow_Serving_PredictRequest(serializedBytes: bytes)
            else { continue }
            if let other = known[read] {
                #expect(meant == other, "\(SimulationSeeds.replay(seed))")
            }
            known[read] = meant
        }
        #expect(known.count > 100)
    }
}
