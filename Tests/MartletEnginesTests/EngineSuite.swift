import Dispatch
import Foundation
import MartletCore
import MartletEngines
import MartletRepository
import MartletTensors
import Synchronization
import Testing

/// What every engine must do: one suite that each of them passes.
///
/// An engine's own test runs all of ``requirements`` with the engine and the folder of fixtures
/// that `Tests/EndToEndTests/make_models.py` writes.
struct EngineSuite: Sendable {
    let engine: any Engine
    let fixtures: String
    let format: FixtureFormat

    /// One thing that an engine must do.
    struct Requirement: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Whether it is about strings and other types that only some engines know.
        let needsEveryType: Bool
        let check: @Sendable (EngineSuite) throws -> Void

        init(
            _ description: String, needsEveryType: Bool = false,
            _ check: @escaping @Sendable (EngineSuite) throws -> Void
        ) {
            testDescription = description
            self.needsEveryType = needsEveryType
            self.check = check
        }
    }

    /// All that an engine must do, whatever its format.
    static let requirements = [
        Requirement("a model gives its id and signatures") { try $0.givesIdAndSignatures() },
        Requirement("a model computes") { try $0.computes() },
        Requirement("outputs come as asked for") { try $0.givesOutputsAsAskedFor() },
        Requirement("selections of outputs run together") { try $0.runsSelectionsTogether() },
        Requirement("each signature is its own") { try $0.runsEachSignature() },
        Requirement("every type goes in and comes out", needsEveryType: true) {
            try $0.passesEveryType()
        },
        Requirement("any bytes are a string", needsEveryType: true) { try $0.passesAnyStrings() },
        Requirement("an empty batch is answered") { try $0.answersEmptyBatch() },
        Requirement("an empty batch of every type is answered", needsEveryType: true) {
            try $0.answersEmptyBatchOfEveryType()
        },
        Requirement("a failed run is an error") { try $0.reportsFailedRuns() },
        Requirement("runs at once agree") { try $0.agreesAcrossThreads() },
        Requirement("two versions are apart") { try $0.keepsVersionsApart() },
        Requirement("an absent folder is an error") { try $0.refusesAbsentFolders() },
        Requirement("broken files are an error") { try $0.refusesBrokenFiles() },
        Requirement("a name the graph lacks is an error") { try $0.refusesUnknownTensors() },
        Requirement("failed loads leave no memory behind") { try $0.leavesNothingBehind() },
        Requirement("unloading gives memory back") { try $0.givesMemoryBack() },
    ]

    /// What an engine of models of several files must do besides.
    static let requirementsOfSavedModels = [
        Requirement("files beside the graph are found", needsEveryType: true) {
            try $0.findsAssets()
        },
        Requirement("models of older writers are read") { try $0.readsOldFormats() },
        Requirement("missing files are an error") { try $0.refusesMissingVariables() },
    ]

    // MARK: Tools

    func artifact(_ model: String, _ version: Int64 = 1) throws -> ModelArtifact {
        let model = model + format.suffix
        return try artifact(
            ServableID(model: model, version: version), at: "\(fixtures)/\(model)/\(version)")
    }

    private func artifact(_ id: ServableID, at path: String) throws -> ModelArtifact {
        do {
            return try format.describe(id, path)
        } catch {
            throw MissingSetUp("\(error)")
        }
    }

    func withServable(
        _ model: String, _ version: Int64 = 1, _ body: (any Servable) throws -> Void
    ) throws {
        let servable = try engine.load(artifact(model, version))
        defer { servable.unload() }
        try body(servable)
    }

    func run(
        _ servable: any Servable, _ inputs: [String: Tensor],
        signature name: String = Signature.defaultName, outputs filter: [String] = []
    ) throws -> [NamedTensor] {
        let signature = try #require(servable.signatures[name])
        return try servable.run(
            signature,
            inputs: signature.validate(inputs.map { NamedTensor(name: $0.key, tensor: $0.value) }),
            outputs: signature.selectOutputs(filter))
    }

    func floats(_ values: [Float], _ dimensions: [Int]? = nil) throws -> Tensor {
        try Tensor(
            dtype: .float, shape: Shape(dimensions ?? [values.count]), values: values)
    }

    func strings(_ values: [[UInt8]]) throws -> Tensor {
        try Tensor(shape: Shape([values.count]), strings: values)
    }

    /// A copy of a version, to be damaged.
    private func withCopy(
        _ model: String, _ body: (ModelArtifact, FileManager) throws -> Void
    ) throws {
        let files = FileManager.default
        let source = try artifact(model)
        let copy = NSTemporaryDirectory() + "martlet-engine-\(UUID().uuidString)"
        try files.copyItem(atPath: source.path, toPath: copy)
        defer { try? files.removeItem(atPath: copy) }
        try body(artifact(source.id, at: copy), files)
    }

    // MARK: Loading and running

    private func givesIdAndSignatures() throws {
        let artifact = try artifact("multi_signature")
        let servable = try engine.load(artifact)
        defer { servable.unload() }
        #expect(servable.id == artifact.id)
        #expect(
            servable.signatures.keys.sorted() == ["scale", "serving_default", "shift", "total"])
        for signature in artifact.signatures {
            #expect(servable.signatures[signature.name] == signature)
        }
        #expect(servable.memoryBytes >= artifact.fileBytes)
    }

    private func computes() throws {
        try withServable("half_plus_two") { servable in
            let outputs = try run(servable, ["x": floats([1, 2, 5])])
            #expect(outputs == [NamedTensor(name: "y", tensor: try floats([2.5, 3, 4.5]))])
        }
        try withServable("dynamic_batch") { servable in
            let outputs = try run(servable, ["x": floats([1, 2, 3, 4, 0, 0, 0, 1], [2, 4])])
            let expected = try floats([5.5, 6, 6.5, 1.5, 1, 0.5], [2, 3])
            #expect(outputs == [NamedTensor(name: "y", tensor: expected)])
        }
    }

    private func givesOutputsAsAskedFor() throws {
        try withServable("multi_input") { servable in
            let inputs = ["a": try floats([1, 2], [1, 2]), "b": try floats([10, 20], [1, 2])]
            let sum = NamedTensor(name: "sum", tensor: try floats([11, 22], [1, 2]))
            let product = NamedTensor(name: "product", tensor: try floats([10, 40], [1, 2]))
            #expect(try run(servable, inputs) == [product, sum])
            #expect(try run(servable, inputs, outputs: ["sum", "product"]) == [sum, product])
            #expect(try run(servable, inputs, outputs: ["sum"]) == [sum])
        }
    }

    private func runsSelectionsTogether() throws {
        try withServable("multi_input") { servable in
            let signature = try #require(servable.signatures[Signature.defaultName])
            let inputs = try signature.validate([
                NamedTensor(name: "a", tensor: floats([1, 2], [1, 2])),
                NamedTensor(name: "b", tensor: floats([10, 20], [1, 2])),
            ])
            let sum = NamedTensor(name: "sum", tensor: try floats([11, 22], [1, 2]))
            let product = NamedTensor(name: "product", tensor: try floats([10, 40], [1, 2]))
            let selections = try [["sum"], ["product", "sum"], ["sum"]].map {
                OutputSelection(signature: signature, outputs: try signature.selectOutputs($0))
            }
            #expect(
                try servable.run(selections, inputs: inputs) == [[sum], [product, sum], [sum]])
            #expect(try servable.run([], inputs: inputs).isEmpty)
        }
    }

    private func runsEachSignature() throws {
        try withServable("multi_signature") { servable in
            let three = try floats([1, 2, 3])
            let square = try run(servable, ["x": three])
            #expect(square.first?.tensor == (try floats([1, 4, 9])))
            let scaled = try run(
                servable, ["values": three, "factor": floats([2, 2, 0.5])], signature: "scale")
            #expect(scaled.first?.tensor == (try floats([2, 4, 1.5])))
            let total = try run(servable, ["values": three], signature: "total")
            #expect(total.first?.tensor == (try floats([6], [])))
        }
    }

    private func passesEveryType() throws {
        try withServable("dtypes") { servable in
            let names = Set(servable.signatures.keys)
            let served = DataType.allCases.filter { names.contains("identity_\($0.name)") }
            #expect(served.count == names.count)
            #expect(served.count == format.typeCount)
            for dtype in served {
                let tensor: Tensor
                if dtype == .bool {
                    tensor = try Tensor(dtype: .bool, shape: Shape([3]), bytes: [1, 0, 1])
                } else if let size = dtype.byteSize {
                    // No byte is like another, so that a wrong order or size shows.
                    let bytes = (0..<(3 * size)).map { UInt8(0x11 + 4 * $0) }
                    tensor = try Tensor(dtype: dtype, shape: Shape([3]), bytes: bytes)
                } else {
                    tensor = try strings([[0x61], [], [0, 0xFF]])
                }
                let outputs = try run(servable, ["x": tensor], signature: "identity_\(dtype.name)")
                #expect(outputs == [NamedTensor(name: "y", tensor: tensor)], "\(dtype)")
            }
        }
    }

    private func passesAnyStrings() throws {
        // Around 22 bytes TensorFlow's own strings change from inline to the heap.
        let lengths = [0, 1, 21, 22, 23, 24, 255, 100_000]
        let values: [[UInt8]] =
            lengths.map { [UInt8](repeating: 0x78, count: $0) }
            + [[0], [0, 0, 0], [0x61, 0, 0x62], Array(0...255), [0xC3], Array("日本".utf8)]
        try withServable("strings") { servable in
            let tensor = try strings(values)
            let echoed = try run(servable, ["text": tensor], signature: "echo")
            #expect(echoed == [NamedTensor(name: "raw_bytes", tensor: tensor)])
            guard
                servable.signatures[Signature.defaultName]?.outputs.contains(
                    where: { $0.name == "length" }) == true
            else { return }
            let length = try run(servable, ["text": tensor], outputs: ["length"])
            #expect(length.first?.tensor.values(as: Int32.self) == values.map { Int32($0.count) })
        }
    }

    private func answersEmptyBatch() throws {
        try withServable("dynamic_batch") { servable in
            let outputs = try run(servable, ["x": floats([], [0, 4])])
            #expect(outputs == [NamedTensor(name: "y", tensor: try floats([], [0, 3]))])
        }
    }

    private func answersEmptyBatchOfEveryType() throws {
        try withServable("dtypes") { servable in
            for signature in servable.signatures.values {
                let spec = try #require(signature.inputs.first)
                let empty =
                    spec.dtype == .string
                    ? try strings([])
                    : try Tensor(dtype: spec.dtype, shape: Shape([0]), bytes: [])
                let outputs = try run(servable, ["x": empty], signature: signature.name)
                #expect(outputs.first?.tensor == empty, "\(signature.name)")
            }
        }
    }

    private func findsAssets() throws {
        try withServable("with_asset") { servable in
            let words = try strings(["swallow", "martlet", "hen"].map { Array($0.utf8) })
            let outputs = try run(servable, ["word": words])
            #expect(outputs.first?.tensor.values(as: Int64.self) == [2, 0, -1])
        }
    }

    private func readsOldFormats() throws {
        try withServable("legacy_scalar") { servable in
            let outputs = try run(servable, ["x": floats([0, 1, 2])])
            #expect(outputs.first?.tensor == (try floats([1, 4, 7])))
        }
    }

    private func reportsFailedRuns() throws {
        try withServable("multi_signature") { servable in
            let mismatched = ["values": try floats([1, 2, 3]), "factor": try floats([1, 2])]
            let error = #expect(throws: ServingError.self) {
                try run(servable, mismatched, signature: "scale")
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.isEmpty == false)
            #expect(try run(servable, ["x": floats([2])]).first?.tensor == floats([4]))
        }
    }

    private func agreesAcrossThreads() throws {
        try withServable("half_plus_two") { servable in
            let wrong = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 4) { thread in
                for round in 0..<500 {
                    let input = (0..<16).map { Float(thread * 1000 + round + $0) }
                    do {
                        let output = try run(servable, ["x": floats(input)])
                        let expected = try floats(input.map { $0 / 2 + 2 })
                        if output.first?.tensor == expected { continue }
                        wrong.withLock { $0.append("thread \(thread), round \(round)") }
                    } catch {
                        wrong.withLock { $0.append("\(error)") }
                    }
                }
            }
            #expect(wrong.withLock { $0.prefix(3) } == [])
        }
    }

    private func keepsVersionsApart() throws {
        try withServable("half_plus_two") { first in
            try withServable("half_plus_two_v2", 2) { second throws in
                #expect(try run(first, ["x": floats([2])]).first?.tensor == floats([3]))
                #expect(try run(second, ["x": floats([2])]).first?.tensor == floats([4]))
            }
            #expect(try run(first, ["x": floats([2])]).first?.tensor == floats([3]))
        }
    }

    // MARK: Refusing

    private func refuses(_ artifact: ModelArtifact, _ what: String) {
        let error = #expect(throws: ServingError.self, "\(what)") { try engine.load(artifact) }
        #expect(error?.message.isEmpty == false, "\(what)")
    }

    private func refusesAbsentFolders() throws {
        let good = try artifact("half_plus_two")
        for path in ["/does/not/exist", "", "/", "/dev/null", "\(good.path)/\(format.files[0])"] {
            refuses(
                ModelArtifact(
                    id: good.id, path: path, tags: good.tags, signatures: good.signatures,
                    fileBytes: 0), path)
        }
        guard !good.tags.isEmpty else { return }
        refuses(
            ModelArtifact(
                id: good.id, path: good.path, tags: ["nope"], signatures: good.signatures,
                fileBytes: 0), "an unknown tag")
    }

    private func refusesMissingVariables() throws {
        for model in ["half_plus_two", "legacy_scalar"] {
            for part in [
                "variables", "variables/variables.index", "variables/variables.data-00000-of-00001",
            ] {
                try withCopy(model) { artifact, files in
                    try files.removeItem(atPath: "\(artifact.path)/\(part)")
                    refuses(artifact, "\(model) without \(part)")
                }
            }
        }
        try withCopy("with_asset") { artifact, files in
            try files.removeItem(atPath: "\(artifact.path)/assets/birds.txt")
            refuses(artifact, "no asset")
        }
    }

    private func refusesBrokenFiles() throws {
        for name in format.files {
            try withCopy("half_plus_two") { artifact, files in
                let path = "\(artifact.path)/\(name)"
                let size = try #require(files.contents(atPath: path)?.count)
                let handle = try #require(FileHandle(forWritingAtPath: path))
                try handle.truncate(atOffset: UInt64(size / 2))
                try handle.close()
                refuses(artifact, "half of \(name)")
            }
        }
    }

    private func refusesUnknownTensors() throws {
        let good = try artifact("half_plus_two")
        let graphNames = [
            "nope:0", "serving_default_x:1", "serving_default_x:-1",
            "serving_default_x:99999999999",
            "serving_default_x:", "serving_default_x:a", "", ":", ":0",
        ]
        for name in graphNames {
            let input = TensorSpec(
                name: "x", graphName: name, dtype: .float, shape: ShapeSpec(dimensions: [-1]))
            let signature = Signature(
                name: "serving_default", methodName: "p", inputs: [input], outputs: [])
            refuses(
                ModelArtifact(
                    id: good.id, path: good.path, tags: good.tags, signatures: [signature],
                    fileBytes: 0), "a tensor named '\(name)'")
        }
    }

    // MARK: Memory

    /// What other tests of the process may take meanwhile.
    private static let noiseBytes = 200 << 20

    private func leavesNothingBehind() throws {
        // 64 MiB are read before the last signature turns out to be wrong.
        let good = try artifact("big")
        let wrong = Signature(
            name: "wrong", methodName: "p",
            inputs: [
                TensorSpec(name: "x", graphName: "nope:0", dtype: .float, shape: .unknownRank)
            ], outputs: [])
        let bad = ModelArtifact(
            id: good.id, path: good.path, tags: good.tags, signatures: good.signatures + [wrong],
            fileBytes: good.fileBytes)
        refuses(bad, "a tensor named 'nope:0'")
        let before = residentBytes()
        for _ in 0..<8 { refuses(bad, "a tensor named 'nope:0'") }
        #expect(residentBytes() - before < EngineSuite.noiseBytes)
    }

    /// Twenty times three models of 64 MiB, which stand for one of 192.
    private func givesMemoryBack() throws {
        func loadRunAndUnload() throws {
            try withServable("big") { servable in
                try withServable("big") { _ in
                    try withServable("big") { _ in
                        let rows = try Tensor(
                            dtype: .int32, shape: Shape([1]), values: [Int32(4095)])
                        let output = try run(servable, ["row": rows])
                        let maximum = try #require(
                            output.first?.tensor.values(as: Float.self).first)
                        #expect((0.99...1).contains(maximum))
                        #expect(servable.memoryBytes >= 64 << 20)
                        grown = max(grown, residentBytes() - before)
                    }
                }
            }
        }
        try withServable("half_plus_two") { _ in }
        let before = residentBytes()
        var grown = 0
        for _ in 0..<20 { try loadRunAndUnload() }
        // Less what was free before. Other tests of the process give memory back meanwhile, so that
        // not each time shows it all.
        #expect(grown >= 180 << 20)
        #expect(residentBytes() <= before + before / 10)
    }

    private func residentBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4096
    }
}
