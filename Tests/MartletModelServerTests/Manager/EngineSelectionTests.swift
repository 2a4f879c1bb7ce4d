import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletTensors
import Synchronization
import Testing

@testable import MartletModelServer

/// An engine whose servables answer `x + offset` after so long.
private final class StandInEngine: Engine {
    let name: String
    let hasFastPrecision = true
    let refusal: ServingError?
    private let offsets: [EnginePrecision: Float]
    private let microseconds: UInt32
    private let servables = Mutex<[StandInServable]>([])

    var loaded: [StandInServable] { servables.withLock { $0 } }
    var unloadCount: Int { loaded.reduce(0) { $0 + $1.unloadCount } }

    init(
        _ name: String, microseconds: UInt32, offset: Float = 0, fastOffset: Float = 0,
        refusal: ServingError? = nil
    ) {
        self.name = name
        self.microseconds = microseconds
        self.refusal = refusal
        offsets = [.exact: offset, .fast: fastOffset]
    }

    func load(_ artifact: ModelArtifact) throws -> any Servable {
        if let refusal { throw refusal }
        let servable = StandInServable(
            artifact, microseconds: microseconds, offset: offsets[artifact.precision] ?? 0)
        servables.withLock { $0.append(servable) }
        return servable
    }
}

private final class StandInServable: Servable {
    let id: ServableID
    let signatures: [String: Signature]
    let memoryBytes = 1
    private let microseconds: UInt32
    private let offset: Float
    private let unloads = Atomic<Int>(0)

    var unloadCount: Int { unloads.load(ordering: .relaxed) }

    init(_ artifact: ModelArtifact, microseconds: UInt32, offset: Float) {
        id = artifact.id
        signatures = Dictionary(
            artifact.signatures.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.microseconds = microseconds
        self.offset = offset
    }

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] {
        #expect(unloadCount == 0)
        usleep(microseconds)
        return try inputs.map { input in
            NamedTensor(
                name: "y",
                tensor: try Tensor(
                    dtype: .float, shape: input.tensor.shape,
                    values: input.tensor.values(as: Float.self).map { $0 + offset }))
        }
    }

    func unload() { unloads.wrappingAdd(1, ordering: .relaxed) }
}

struct EngineSelectionTests {
    private let refusal = ServingError(.unimplemented, "not of mine")

    private func artifact(
        _ format: ModelFormat = .savedModel, dtype: DataType = .float
    ) -> ModelArtifact {
        let shape = ShapeSpec(dimensions: [-1, 4])
        let signature = Signature(
            name: Signature.defaultName, methodName: "p",
            inputs: [TensorSpec(name: "x", graphName: "x", dtype: dtype, shape: shape)],
            outputs: [TensorSpec(name: "y", graphName: "y", dtype: .float, shape: shape)])
        return ModelArtifact(
            id: ServableID(model: "m", version: 1), path: "/", format: format, tags: [],
            signatures: [signature], fileBytes: 0)
    }

    private func load(
        _ reference: StandInEngine, _ other: StandInEngine?,
        _ settings: EngineSettings = EngineSettings(), _ artifact: ModelArtifact? = nil
    ) throws -> EngineChoice {
        var trial = EngineTrial.Options()
        trial.windowSeconds = 0.06
        let formats: [ModelFormat] = [.savedModel, .tfLite]
        let openers = formats.map { ($0, { reference } as EngineRegistry.Opener) }
        let registry = EngineRegistry(
            Dictionary(uniqueKeysWithValues: openers),
            named: [
                .openvino: {
                    guard let other else { throw ServingError(.unavailable, "not installed") }
                    return other
                }
            ])
        let selection = EngineSelection(
            engines: registry, settings: settings, trial: trial, logger: Logger(label: "test"))
        let (servable, choice) = try selection.load(artifact ?? self.artifact())
        // One is left, and it is the one that was chosen.
        let all = reference.loaded + (other?.loaded ?? [])
        #expect(all.filter { $0.unloadCount == 0 }.count == 1)
        #expect(all.allSatisfy { $0.unloadCount <= 1 })
        #expect((servable as? StandInServable)?.unloadCount == 0)
        return choice
    }

    @Test func fasterAndRight_isChosenAndTheReferenceUnloaded() throws {
        let reference = StandInEngine("tensorflow", microseconds: 6000)
        let choice = try load(reference, StandInEngine("openvino", microseconds: 1000))
        #expect(choice.engine == "openvino")
        #expect(choice.reason == .faster)
        #expect(reference.unloadCount == 1)
    }

    @Test func fasterAndWrong_isUnloaded() throws {
        let other = StandInEngine("openvino", microseconds: 1000, offset: 0.1)
        let choice = try load(StandInEngine("tensorflow", microseconds: 6000), other)
        #expect(choice.engine == "tensorflow")
        #expect(choice.reason == .wrong)
        #expect(other.unloadCount == 1)
    }

    @Test func slower_isUnloaded() throws {
        let choice = try load(
            StandInEngine("tensorflow", microseconds: 1000),
            StandInEngine("openvino", microseconds: 6000))
        #expect(choice.engine == "tensorflow")
        #expect(choice.reason == .slower)
    }

    @Test func small_isNotTried() throws {
        let other = StandInEngine("openvino", microseconds: 0)
        let choice = try load(StandInEngine("tensorflow", microseconds: 0), other)
        #expect(choice.reason == .small)
        #expect(other.loaded.isEmpty)
    }

    @Test func refusedOrAbsent_isNoFaultOfTheLoad() throws {
        let reference = StandInEngine("tensorflow", microseconds: 1000)
        let other = StandInEngine("openvino", microseconds: 0, refusal: refusal)
        let choice = try load(reference, other)
        #expect(choice.reason == .refused)
        #expect(choice.detail.contains("not of mine"))
        let absent = try load(StandInEngine("tensorflow", microseconds: 1000), nil)
        #expect(absent.reason == .absent)
        #expect(absent.detail.contains("not installed"))
    }

    @Test func modelForWhichNoInputsCanBeMadeUp_isNotTried() throws {
        let choice = try load(
            StandInEngine("tensorflow", microseconds: 1000),
            StandInEngine("openvino", microseconds: 0), EngineSettings(), artifact(dtype: .string))
        #expect(choice.reason == .untried)
    }

    @Test func fastThatIsTooFarOff_isTriedExactly() throws {
        let settings = EngineSettings(precision: .fast)
        let other = StandInEngine("openvino", microseconds: 1000, fastOffset: 0.1)
        let choice = try load(
            StandInEngine("tensorflow", microseconds: 6000), other, settings)
        #expect(choice.engine == "openvino")
        #expect(choice.precision == .exact)
        #expect(choice.detail.contains("in 16 bits is wrong"))
        #expect(other.loaded.count == 2)
    }

    @Test func fastThatIsClose_isChosen() throws {
        let choice = try load(
            StandInEngine("tensorflow", microseconds: 6000),
            StandInEngine("openvino", microseconds: 1000, offset: 1, fastOffset: 0.01),
            EngineSettings(precision: .fast))
        #expect(choice.engine == "openvino")
        #expect(choice.precision == .fast)
    }

    @Test func referenceThatCannotLoadTFLite_leavesItToTheOther() throws {
        let choice = try load(
            StandInEngine("litert", microseconds: 0, refusal: refusal),
            StandInEngine("openvino", microseconds: 0), EngineSettings(), artifact(.tfLite))
        #expect(choice.engine == "openvino")
        #expect(choice.reason == .only)
    }

    @Test func referenceThatRefusesASavedModel_isTheError() throws {
        let other = StandInEngine("openvino", microseconds: 0)
        #expect(throws: ServingError.self) {
            try load(StandInEngine("tensorflow", microseconds: 0, refusal: refusal), other)
        }
        #expect(other.loaded.isEmpty)
    }

    @Test func namedEngine_isUsedWithoutATrial() throws {
        var settings = EngineSettings(preference: .named(.tensorflow))
        let reference = StandInEngine("tensorflow", microseconds: 0)
        let other = StandInEngine("openvino", microseconds: 0)
        #expect(try load(reference, other, settings).reason == .named)
        #expect(other.loaded.isEmpty)
        settings.preferences["m"] = .named(.openvino)
        let choice = try load(StandInEngine("tensorflow", microseconds: 0), other, settings)
        #expect(choice.engine == "openvino")
        #expect(choice.reason == .named)
    }

    @Test func engineNamedForAModelOfAnotherFormat_isAnError() throws {
        var settings = EngineSettings()
        settings.preferences["m"] = .named(.litert)
        let error = #expect(throws: ServingError.self) {
            try load(StandInEngine("tensorflow", microseconds: 0), nil, settings)
        }
        #expect(error?.code == .invalidArgument)
        // Named for all, it is meant for those that it loads.
        let all = EngineSettings(preference: .named(.litert))
        let reference = StandInEngine("tensorflow", microseconds: 0)
        #expect(try load(reference, nil, all).engine == "tensorflow")
    }
}
