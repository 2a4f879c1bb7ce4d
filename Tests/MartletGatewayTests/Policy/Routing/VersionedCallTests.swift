import MartletProtocols
import MartletTestKit
import SwiftProtobuf
import Testing

@testable import MartletGateway

/// A message behind its prefix, as a call has it.
func callFrame(_ message: [UInt8], flag: UInt8 = 0) -> [UInt8] {
    [flag] + (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - 8 * $0)) } + message
}

func callFrame(_ message: some Message) throws -> [UInt8] {
    callFrame(try message.serializedBytes())
}

@Suite("The version that a call asks for")
struct VersionedCallTests {
    private static let predictions = "/tensorflow.serving.PredictionService/"
    private static let predict = predictions + "Predict"
    private static let infer = "/inference.GRPCInferenceService/ModelInfer"

    private func specification(
        _ change: (inout Tensorflow_Serving_ModelSpec) -> Void = { _ in }
    ) -> Tensorflow_Serving_ModelSpec {
        var specification = Tensorflow_Serving_ModelSpec()
        specification.name = "half"
        specification.signatureName = "other"
        change(&specification)
        return specification
    }

    private func request(
        _ change: (inout Tensorflow_Serving_ModelSpec) -> Void = { _ in }
    ) -> Tensorflow_Serving_PredictRequest {
        var request = Tensorflow_Serving_PredictRequest()
        request.modelSpec = specification(change)
        var tensor = Tensorflow_TensorProto()
        tensor.floatVal = [1, 2, 3]
        request.inputs = ["x": tensor, "y": tensor]
        request.outputFilter = ["z"]
        return request
    }

    private func inference(version: String = "") -> Inference_ModelInferRequest {
        var request = Inference_ModelInferRequest()
        request.modelName = "half"
        request.modelVersion = version
        request.id = "7"
        request.rawInputContents = [.init([1, 2, 3])]
        return request
    }

    private func call(_ path: String, _ message: some Message) throws -> VersionedCall {
        try #require(VersionedCall(path: path, frame: callFrame(message)))
    }

    private func decoded<M: Message>(_ frame: [UInt8]?, as type: M.Type) throws -> M {
        let frame = try #require(frame)
        let message = try #require(VersionedCall.message(of: frame))
        return try M(serializedBytes: Array(message))
    }

    // MARK: Reading

    @Test func target_isReadAsItWasWritten() throws {
        let versions: [(ModelTarget.Version, (inout Tensorflow_Serving_ModelSpec) -> Void)] = [
            (.latest, { _ in }), (.number(7), { $0.version.value = 7 }),
            (.number(0), { $0.version = .init() }), (.number(.max), { $0.version.value = .max }),
            (.number(-1), { $0.version.value = -1 }), (.label("new"), { $0.versionLabel = "new" }),
            (.label(""), { $0.versionLabel = "" }),
        ]
        for (version, change) in versions {
            #expect(
                try call(Self.predict, request(change)).target
                    == ModelTarget(
                        api: .tensorFlowServing, model: "half", version: version, verb: .predict))
        }
        for (text, version) in [
            ("", .latest), ("7", .number(7)), ("new", .label("new")),
        ] as [(String, ModelTarget.Version)] {
            #expect(
                try call(Self.infer, inference(version: text)).target
                    == ModelTarget(
                        api: .openInference, model: "half", version: version, verb: .infer))
        }
    }

    @Test func verbs_areThoseOfTheMethods() throws {
        var classification = Tensorflow_Serving_ClassificationRequest()
        classification.modelSpec = specification()
        #expect(try call(Self.predictions + "Classify", classification).target.verb == .classify)
        var regression = Tensorflow_Serving_RegressionRequest()
        regression.modelSpec = specification()
        #expect(try call(Self.predictions + "Regress", regression).target.verb == .regress)
        var metadata = Tensorflow_Serving_GetModelMetadataRequest()
        metadata.modelSpec = specification()
        #expect(
            try call(Self.predictions + "GetModelMetadata", metadata).target.verb == .metadata)
    }

    /// Whatever parts a specification comes in, the gateway reads what a node does.
    @Test func parts_areMergedAsNodesDo() throws {
        let changes: [(inout Tensorflow_Serving_ModelSpec) -> Void] = [
            { $0.name = "one" }, { $0.name = "two" }, { $0.version.value = 7 },
            { $0.version = .init() }, { $0.versionLabel = "new" }, { $0.versionLabel = "" },
            { $0.signatureName = "s" }, { _ in },
        ]
        for seed in SimulationSeeds.first(500) {
            var generator = SeededGenerator(seed: seed)
            var message: [UInt8] = []
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                var part = Tensorflow_Serving_PredictRequest()
                part.modelSpec = .init()
                changes.randomElement(using: &generator)?(&part.modelSpec)
                message += try part.serializedBytes() as [UInt8]
            }
            let whole = try Tensorflow_Serving_PredictRequest(serializedBytes: message).modelSpec
            let call = VersionedCall(path: Self.predict, frame: callFrame(message))
            #expect(call?.target.model ?? "" == whole.name, "\(SimulationSeeds.replay(seed))")
            let version: ModelTarget.Version =
                switch whole.versionChoice {
                case .version(let number)?: .number(number.value)
                case .versionLabel(let label)?: .label(label)
                case nil: .latest
                }
            #expect(call?.target.version ?? version == version, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func callsThatAreNotUnderstood_areNone() throws {
        let message: [UInt8] = try request().serializedBytes()
        let whole = callFrame(message)
        #expect(VersionedCall(path: Self.predict, frame: whole) != nil)
        let frames = [
            [], [0, 0, 0], callFrame(message, flag: 1), callFrame([]), whole + [0],
            Array(whole.dropLast()), whole + whole,
            callFrame(try specification().serializedBytes()),
        ]
        for frame in frames {
            #expect(VersionedCall(path: Self.predict, frame: frame) == nil, "\(frame)")
        }
        let paths = [
            Self.predictions + "MultiInference", Self.predictions + "PredictStreamed",
            "/tensorflow.serving.ModelService/GetModelStatus",
            "/inference.GRPCInferenceService/ModelStreamInfer", "/half", "",
        ]
        for path in paths {
            #expect(VersionedCall(path: path, frame: whole) == nil, "\(path)")
        }
        let large = inference(version: "99999999999999999999")
        #expect(VersionedCall(path: Self.infer, frame: try callFrame(large)) == nil)
    }

    /// Some readers cut a field's number to 32 bits, and would find one here that others do not.
    @Test func numbersOfFieldsBeyondTheirBits_areRefused() throws {
        let message: [UInt8] = try request().serializedBytes()
        var evil = Tensorflow_Serving_ModelSpec()
        evil.name = "evil"
        let content: [UInt8] = try evil.serializedBytes()
        let hidden: [UInt8] = [0x8A, 0x80, 0x80, 0x80, 0x10, UInt8(content.count)] + content
        for wrong in [hidden, [0x02, 0x00]] {
            let frame = callFrame(message + wrong)
            #expect(VersionedCall(path: Self.predict, frame: frame) == nil)
            #expect(throws: (any Error).self) {
                try MessageModel.model(inCall: Self.predict, frame: frame)
            }
        }
    }

    // MARK: Writing

    @Test func version_isSet_andAllElseStays() throws {
        for version in [.number(8), .number(0), .number(.max), .label("new")]
            as [TrafficPolicy.VersionName]
        {
            let call = try call(Self.predict, request())
            var expected = request()
            switch version {
            case .number(let number): expected.modelSpec.version.value = Int64(number)
            case .label(let label): expected.modelSpec.versionLabel = label
            }
            let frame = try #require(call.frame(asking: version))
            #expect(
                try decoded(frame, as: Tensorflow_Serving_PredictRequest.self) == expected,
                "\(version)")
            let again = try #require(VersionedCall(path: Self.predict, frame: frame))
            #expect(TrafficPolicy.VersionName(again.target.version) == version)
        }
        let infer = try call(Self.infer, inference())
        for (version, text) in [(.number(8), "8"), (.label("new"), "new")]
            as [(TrafficPolicy.VersionName, String)]
        {
            #expect(
                try decoded(
                    infer.frame(asking: version), as: Inference_ModelInferRequest.self)
                    == inference(version: text))
        }
    }

    @Test func everyMethod_takesTheVersion() throws {
        var metadata = Tensorflow_Serving_GetModelMetadataRequest()
        metadata.modelSpec = specification()
        metadata.metadataField = ["signature_def"]
        let frame = try call(Self.predictions + "GetModelMetadata", metadata)
            .frame(asking: .number(300))
        metadata.modelSpec.version.value = 300
        #expect(
            try decoded(frame, as: Tensorflow_Serving_GetModelMetadataRequest.self) == metadata)
        var classification = Tensorflow_Serving_ClassificationRequest()
        classification.modelSpec = specification()
        classification.input.exampleList.examples = [.init()]
        let label = try call(Self.predictions + "Classify", classification)
            .frame(asking: .label("new"))
        classification.modelSpec.versionLabel = "new"
        #expect(
            try decoded(label, as: Tensorflow_Serving_ClassificationRequest.self)
                == classification)
    }

    @Test func callThatNamesAVersion_goesThere_butForTheOneThatIsReplaced() throws {
        let changes: [(TrafficPolicy.VersionName, (inout Tensorflow_Serving_ModelSpec) -> Void)] = [
            (.number(7), { $0.version.value = 7 }), (.label("old"), { $0.versionLabel = "old" }),
        ]
        for (named, change) in changes {
            let call = try call(Self.predict, request(change))
            #expect(call.frame(asking: .number(8)) == nil)
            #expect(call.frame(asking: .number(8), insteadOf: .number(6)) == nil)
            for asked in [.number(8), .number(0), .label("new")] as [TrafficPolicy.VersionName] {
                let frame = call.frame(asking: asked, insteadOf: named)
                var expected = request()
                switch asked {
                case .number(let number): expected.modelSpec.version.value = Int64(number)
                case .label(let label): expected.modelSpec.versionLabel = label
                }
                #expect(
                    try decoded(frame, as: Tensorflow_Serving_PredictRequest.self) == expected)
            }
        }
        let infer = try call(Self.infer, inference(version: "7"))
        #expect(infer.frame(asking: .number(8)) == nil)
        #expect(
            try decoded(
                infer.frame(asking: .number(8), insteadOf: .number(7)),
                as: Inference_ModelInferRequest.self) == inference(version: "8"))
    }

    @Test func largeMessage_keepsItsLength() throws {
        var request = inference()
        request.rawInputContents = [.init(repeating: 1, count: 1 << 20)]
        let frame = try #require(call(Self.infer, request).frame(asking: .label("new")))
        request.modelVersion = "new"
        #expect(try decoded(frame, as: Inference_ModelInferRequest.self) == request)
    }

    @Test func brokenMessages_neverTrap_andWhatIsUnderstoodCanBeSet() throws {
        let good = try callFrame(request { $0.version.value = 300 })
        for seed in SimulationSeeds.first(5000) {
            var generator = SeededGenerator(seed: seed)
            var bytes = good
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 5..<bytes.count, using: &generator)] = .random(
                    in: 0...255, using: &generator)
            }
            guard let call = VersionedCall(path: Self.predict, frame: bytes) else { continue }
            let own = TrafficPolicy.VersionName(call.target.version)
            let frame = try #require(call.frame(asking: .label("new"), insteadOf: own))
            let again = try #require(VersionedCall(path: Self.predict, frame: frame))
            #expect(again.target.version == .label("new"), "\(SimulationSeeds.replay(seed))")
            #expect(again.target.model == call.target.model)
        }
    }
}
