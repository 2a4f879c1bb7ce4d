internal import COpenVINO
import MartletCore
import MartletTensors

/// A model compiled by OpenVINO, each signature by itself.
final class OpenVINOServable: Servable {
    let id: ServableID
    let signatures: [String: Signature]
    let memoryBytes: Int

    private let programs: [String: OpenVINOProgram]

    init(artifact: ModelArtifact, programs: [OpenVINOProgram], memoryBytes: Int) {
        id = artifact.id
        self.memoryBytes = memoryBytes
        self.programs = Dictionary(
            programs.map { ($0.signature.name, $0) }, uniquingKeysWith: { first, _ in first })
        signatures = self.programs.mapValues(\.signature)
    }

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] {
        try program(signature).run(inputs: inputs, outputs: outputs)
    }

    /// Runs a signature once for all selections of its outputs.
    func run(
        _ selections: [OutputSelection], inputs: [NamedTensor]
    ) throws -> [[NamedTensor]] {
        var known: [String: [String: NamedTensor]] = [:]
        for selection in selections where known[selection.signature.name] == nil {
            let all = selections.filter { $0.signature.name == selection.signature.name }
            let wanted = Set(all.flatMap(\.outputs))
            let outputs = try run(selection.signature, inputs: inputs, outputs: Array(wanted))
            known[selection.signature.name] = Dictionary(
                outputs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        }
        return selections.map { selection in
            selection.outputs.compactMap { known[selection.signature.name]?[$0.name] }
        }
    }

    private func program(_ signature: Signature) throws -> OpenVINOProgram {
        guard let program = programs[signature.name] else {
            throw ServingError(.internal, "Signature '\(signature.name)' is not of servable \(id)")
        }
        return program
    }

    func unload() {
        for program in programs.values { program.unload() }
        ProcessHeap.releaseFreed()
    }
}
