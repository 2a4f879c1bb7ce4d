import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletProtocols
import MartletRepository
import MartletTensors
import SwiftProtobuf
import Synchronization
import Testing

@testable import MartletModelServer

@Suite("Warm-up of a version")
struct ModelWarmUpTests {
    private let storage: ModelStorage
    private let servable = RecordingServable()
    private let metrics = ServingMetrics()

    init() throws {
        storage = try ModelStorage()
        try storage.write("m", 1)
    }

    private var folder: String { "\(storage.path)/m/1" }

    private func predict(
        _ values: [Float] = [1], signature: String = "", input: String = "x"
    ) -> Tensorflow_Serving_PredictionLog {
        var log = Tensorflow_Serving_PredictionLog()
        log.predictLog.request.modelSpec.signatureName = signature
        var tensor = Tensorflow_TensorProto()
        tensor.dtype = .dtFloat
        tensor.floatVal = values
        tensor.tensorShape.dim = [.with { $0.size = Int64(values.count) }]
        log.predictLog.request.inputs[input] = tensor
        return log
    }

    private func write(_ logs: [Tensorflow_Serving_PredictionLog]) throws {
        var bytes: [UInt8] = []
        for log in logs { TFRecordFraming.append(try log.serializedBytes(), to: &bytes) }
        try write(bytes)
    }

    private func write(_ bytes: [UInt8]) throws {
        try storage.write("m", 1, ModelWarmUp.fileName, Data(bytes))
    }

    private func warmUp(_ options: WarmUpOptions = WarmUpOptions()) throws {
        let loaded = LoadedServable(
            servable: servable, choice: EngineChoice(engine: "fake", reason: .only, detail: ""),
            signatureDefs: [:])
        try ModelWarmUp(
            options: options, limits: Limits(), metrics: metrics,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ).run(folder: folder, loaded: loaded)
    }

    private func failure(_ options: WarmUpOptions = WarmUpOptions()) throws -> ServingError {
        try #require(throws: ServingError.self) { try warmUp(options) }
    }

    private var page: String { String(decoding: metrics.prometheusText(), as: UTF8.self) }

    @Test func predictRecords_areReplayedInOrderAndCounted() throws {
        try write([predict([1]), predict([2, 3], signature: "serving_default")])
        try warmUp(WarmUpOptions(iterations: 2))
        #expect(servable.runs == ["x=[1.0]", "x=[1.0]", "x=[2.0, 3.0]", "x=[2.0, 3.0]"])
        #expect(
            page.contains(
                ":tensorflow:serving:model_warmup_latency_count{model_path=\"\(folder)\",status=\"OK\"} 1"
            ))
    }

    @Test func nothing_isReplayedWithoutAFileOrWhenItIsOff() throws {
        try warmUp()
        try write([predict()])
        try warmUp(WarmUpOptions(isEnabled: false))
        try warmUp(WarmUpOptions(iterations: 0))
        #expect(servable.runs == [])
    }

    @Test func classifyRegressAndMultiInference_areReplayedWithSerialisedExamples() throws {
        let example = Tensorflow_Example.with {
            $0.features.feature["f"] = .with { $0.floatList.value = [1] }
        }
        let context = Tensorflow_Example.with {
            $0.features.feature["c"] = .with { $0.int64List.value = [2] }
        }
        var classify = Tensorflow_Serving_PredictionLog()
        classify.classifyLog.request.modelSpec.signatureName = "examples"
        classify.classifyLog.request.input.exampleList.examples = [example, context]
        var regress = Tensorflow_Serving_PredictionLog()
        regress.regressLog.request.modelSpec.signatureName = "examples"
        regress.regressLog.request.input.exampleListWithContext.context = context
        regress.regressLog.request.input.exampleListWithContext.examples = [example]
        var multiple = Tensorflow_Serving_PredictionLog()
        multiple.multiInferenceLog.request.input.exampleList.examples = [example]
        multiple.multiInferenceLog.request.tasks = [
            .with { $0.modelSpec.signatureName = "examples" },
            .with { $0.modelSpec.signatureName = "examples" },
        ]
        try write([classify, regress, multiple])
        try warmUp()
        let one = try example.serializedBytes() as [UInt8]
        let two = try context.serializedBytes() as [UInt8]
        #expect(
            servable.runs == [
                "inputs=\([one, two])", "inputs=\([two + one])", "inputs=\([one])",
                "inputs=\([one])",
            ])
    }

    @Test func sessionRuns_areRefusedAsTheOriginalRefusesThem() throws {
        var log = Tensorflow_Serving_PredictionLog()
        log.sessionRunLog = .init()
        try write([log])
        let error = try failure()
        #expect(error.code == .unimplemented)
        #expect(error.message == "Unsupported log_type for warmup: 5")
    }

    @Test func recordsThatCannotBeRun_failWithTheirError() throws {
        try write([predict(signature: "none")])
        #expect(try failure().message == "Serving signature key \"none\" not found.")
        try write([predict(input: "y")])
        #expect(try failure().message.hasPrefix("input size does not match signature"))
        var empty = Tensorflow_Serving_PredictionLog()
        empty.classifyLog.request.modelSpec.signatureName = "examples"
        try write([empty])
        #expect(try failure().message == "Input is empty.")
        #expect(page.contains("status=\"INVALID_ARGUMENT: Input is empty.\"} 1"))
    }

    @Test func corruptFiles_areRefusedAsTheOriginalRefusesThem() throws {
        try write(Array("this is not a file of records".utf8))
        let error = try failure()
        #expect(error.code == .dataLoss)
        #expect(
            error.message == "corrupted record at 0. "
                + "Please verify your warmup data is in TFRecord format.")
        var bytes: [UInt8] = []
        TFRecordFraming.append([0xFF, 0xFF], to: &bytes)
        try write(bytes)
        #expect(try failure().message.hasPrefix("Failed to parse warmup record: "))
    }

    @Test func records_beyondTheMaximum_areRefused() throws {
        let records = Array(repeating: predict(), count: WarmUpOptions.maximumRecords)
        try write(records)
        try warmUp()
        try write(records + [predict()])
        #expect(
            try failure().message == "Number of warmup records exceeds the maximum (1000) at "
                + "\(folder)/\(ModelWarmUp.fileName)")
    }

    @Test func zeros_areOfTheSmallestShapeAndOnlyWithoutAFile() throws {
        try warmUp(WarmUpOptions(usesZeros: true))
        #expect(servable.runs == ["inputs=[[]]", "x=[0.0]"])
        try write([predict([5])])
        try warmUp(WarmUpOptions(usesZeros: true))
        #expect(servable.runs.last == "x=[5.0]" && servable.runs.count == 3)
    }

    @Test func versionThatCannotBeWarmedUp_isUnloadedAndFails() throws {
        try write(Array("no records".utf8))
        let engine = FakeEngine()
        let loader = VersionLoader(engine, metrics: metrics)
        #expect(throws: ServingError.self) {
            try loader.load(
                ServableID(model: "m", version: 1),
                from: ModelDirectory.Version(number: 1, path: folder))
        }
        #expect(engine.loaded.map(\.unloadCount) == [1])
    }
}

/// A servable that notes what it was run with.
private final class RecordingServable: Servable {
    let id = ServableID(model: "m", version: 1)
    let memoryBytes = 0
    let signatures: [String: Signature]

    private let noted = Mutex<[String]>([])

    init() {
        let any = ShapeSpec(dimensions: [-1])
        func signature(_ name: String, _ input: String, _ dtype: DataType) -> Signature {
            Signature(
                name: name, methodName: "m",
                inputs: [TensorSpec(name: input, graphName: "i:0", dtype: dtype, shape: any)],
                outputs: [TensorSpec(name: "y", graphName: "y:0", dtype: .float, shape: any)])
        }
        signatures = [
            Signature.defaultName: signature(Signature.defaultName, "x", .float),
            "examples": signature("examples", "inputs", .string),
        ]
    }

    var runs: [String] { noted.withLock { $0 } }

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] {
        let texts = inputs.map { input in
            input.tensor.dtype == .string
                ? "\(input.name)=\(input.tensor.strings)"
                : "\(input.name)=\(input.tensor.values(as: Float.self))"
        }
        noted.withLock { $0.append(texts.joined(separator: " ")) }
        return []
    }

    func unload() {}
}
