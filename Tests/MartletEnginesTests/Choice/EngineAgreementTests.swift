import Foundation
import MartletCore
import MartletRepository
import MartletTensors
import Testing

@testable import MartletEngines

extension EngineTests {
    /// Every fixture that two engines load gets the same answers of both.
    @Suite("Engines agree", .serialized)
    struct EngineAgreementTests {
        private static let models =
            ((try? FileManager.default.contentsOfDirectory(atPath: SetUp.fixtures)) ?? [])
            .sorted()

        /// What OpenVINO cannot load: strings, tables, and types of its own.
        private static let refused: Set<String> = [
            "birds", "dtypes", "dtypes_tflite", "edges_tflite", "examples_tflite",
            "legacy_examples", "multi_signature_tflite", "outputs", "strings", "strings_tflite",
            "undecided_tflite", "with_asset",
        ]

        /// Of fixed sizes, which LiteRT changes to what it is sent and OpenVINO does not.
        private static let fixed: Set<String> = [
            "half_plus_two_metadata_tflite", "half_plus_two_plain_tflite",
        ]

        /// Of whole numbers of eight bits, whose sums overflow in OpenVINO where the processor has no
        /// instructions for them.
        ///
        /// Such wrong answers are what the trial at each load is for.
        private static let quantized: Set<String> = ["quantized_tflite"]

        private func openVINO() throws -> OpenVINOEngine {
            OpenVINOEngine(
                library: try OpenVINOEngineTests.library.get(), extract: SavedModelExtract.file)
        }

        private func reference(for format: ModelFormat) throws -> any Engine {
            format == .tfLite
                ? LiteRTEngine(library: try LiteRTEngineTests.library.get())
                : TensorFlowEngine(library: try TensorFlowEngineTests.library.get())
        }

        private func artifact(_ model: String, in folder: String) throws -> ModelArtifact {
            let versions = try FileManager.default.contentsOfDirectory(
                atPath: "\(folder)/\(model)")
            let version = try #require(versions.compactMap(Int64.init).first)
            let format = model.hasSuffix("_tflite") ? FixtureFormat.tflite : .savedModel
            return try format.describe(
                ServableID(model: model, version: version), "\(folder)/\(model)/\(version)")
        }

        @Test func fixtures_areThere() { #expect(Self.models.count >= 20) }

        @Test(arguments: models)
        func fixture_hasTheSameAnswersOrIsRefused(model: String) throws {
            let artifact = try artifact(model, in: SetUp.fixtures)
            let other: any Servable
            do {
                other = try openVINO().load(artifact)
            } catch {
                #expect(Self.refused.contains(model), "\(error)")
                return
            }
            defer { other.unload() }
            #expect(!Self.refused.contains(model))
            guard !Self.fixed.contains(model) else {
                #expect(throws: ServingError.self) {
                    try agree(other, artifact, precision: .exact, isRight: true)
                }
                return
            }
            if Self.quantized.contains(model), !Processor.has("avx512_vnni") { return }
            try agree(other, artifact, precision: .exact, isRight: true)
        }

        @Test func basicPitch_isRightInFullAndWrongIn16Bits() throws {
            let folder = "\(SetUp.root)/.models"
            guard FileManager.default.fileExists(atPath: "\(folder)/basic-pitch/1") else { return }
            let engine = try openVINO()
            var artifact = try artifact("basic-pitch", in: folder)
            let exact = try engine.load(artifact)
            defer { exact.unload() }
            if Processor.has("avx512f") {
                try agree(exact, artifact, precision: .exact, isRight: true)
            } else {
                // Sums in another order: near, though not so near that it would be chosen.
                let agreement = try agreement(of: exact, artifact, precision: .exact)
                #expect(agreement.error < 1e-3 && agreement.fault == nil)
            }
            guard engine.hasFastPrecision else { return }
            artifact.precision = .fast
            let fast = try engine.load(artifact)
            defer { fast.unload() }
            try agree(fast, artifact, precision: .fast, isRight: false)
        }

        private func agree(
            _ other: any Servable, _ artifact: ModelArtifact, precision: EnginePrecision,
            isRight: Bool
        ) throws {
            let agreement = try agreement(of: other, artifact, precision: precision)
            #expect(
                agreement.isRight == isRight, "\(agreement.error) \(agreement.fault ?? "")")
        }

        private func agreement(
            of other: any Servable, _ artifact: ModelArtifact, precision: EnginePrecision
        ) throws -> OutputAgreement {
            let reference = try reference(for: artifact.format).load(artifact)
            defer { reference.unload() }
            var options = EngineTrial.Options()
            options.batches = [1, 4]
            let requests = EngineTrial(options: options).requests(for: reference)
            #expect(!requests.isEmpty)
            var agreement = OutputAgreement(tolerance: OutputAgreement.tolerance(of: precision))
            for request in requests {
                let copy = request.inputs
                agreement.compare(
                    reference: try request.run(in: reference), other: try request.run(in: other))
                // Inputs are lent to the engine, which must not write to them.
                #expect(request.inputs == copy)
            }
            return agreement
        }
    }
}

/// What the machine's processor can do.
private enum Processor {
    private static let flags: Set<Substring> = {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("flags") }
        return Set((line ?? "").split(separator: " "))
    }()

    static func has(_ flag: Substring) -> Bool { flags.contains(flag) }
}
