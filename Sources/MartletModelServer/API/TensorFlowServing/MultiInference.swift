import MartletCore
import MartletEngines
import MartletProtocols
import MartletTensors
internal import SwiftProtobuf

/// Several signatures of one servable over the same examples: in one run where nothing waits for
/// others, else in batches of each signature's.
struct MultiInference {
    private struct Task: Sendable {
        let signature: Signature
        let method: ExampleMethod
        let outputs: [TensorSpec]
    }

    private let request: Tensorflow_Serving_MultiInferenceRequest
    private let predictor: ExamplePredictor

    /// Takes a request; nothing of it is looked at yet.
    init(_ request: Tensorflow_Serving_MultiInferenceRequest, predictor: ExamplePredictor) {
        self.request = request
        self.predictor = predictor
    }

    /// The run of all tasks.
    ///
    /// The first task chooses the version for all of them, as in TensorFlow Serving.
    ///
    /// - Throws: `ServingError`, with TensorFlow Serving's messages for tasks that do not fit
    ///   together.
    func prediction(
        manager: ModelManager, subject: inout RequestSubject
    ) throws -> Prediction<[UInt8]> {
        let target = try ModelSpecTarget(request.tasks.first?.modelSpec ?? .init(), &subject)
        let lease = try target.lease(from: manager, subject: &subject)
        let tasks = try validTasks(lease)
        let examples = try SerializedExamples(request.input)
        guard let first = tasks.first else { throw ServingError.invalidArgument("No tasks.") }
        let id = lease.loaded.servable.id
        let count = examples.elements.count
        let response: @Sendable ([NamedTensor]) throws -> MultiInferenceResponse = { outputs in
            try Self.response(to: tasks, of: id, examples: count, outputs: outputs)
        }
        var prediction = try Prediction(
            first.signature, of: lease, inputs: [examples.tensor()],
            outputFilter: first.outputs.map(\.name)
        ) { outputs in
            try GRPCCoding.encode(response(outputs))
        }
        prediction.companions = tasks.dropFirst().map {
            OutputSelection(signature: $0.signature, outputs: $0.outputs)
        }
        let request = request
        prediction.log = { outputs in .multiInference(request, try response(outputs)) }
        return prediction
    }

    private typealias MultiInferenceResponse = Tensorflow_Serving_MultiInferenceResponse

    private static func response(
        to tasks: [Task], of id: ServableID, examples: Int, outputs: [NamedTensor]
    ) throws -> MultiInferenceResponse {
        var rest = outputs[...]
        var response = MultiInferenceResponse()
        response.results = try tasks.map { task in
            defer { rest = rest.dropFirst(task.outputs.count) }
            var result = Tensorflow_Serving_InferenceResult()
            result.modelSpec = Tensorflow_Serving_ModelSpec(
                effective: id, signature: task.signature.name)
            result.result =
                try ExampleResult(
                    Array(rest.prefix(task.outputs.count)), of: task.method, examples: examples
                ).message
            return result
        }
        return response
    }

    private func validTasks(_ lease: ServableLease) throws -> [Task] {
        let id = lease.loaded.servable.id
        var tasks: [Task] = []
        for task in request.tasks {
            guard !task.modelSpec.name.isEmpty else {
                throw ServingError.invalidArgument("Found ModelSpec with an empty model name.")
            }
            guard task.modelSpec.name == id.model else {
                throw ServingError.invalidArgument(
                    "All ModelSpecs in a MultiInferenceRequest must access the same model name.")
            }
            let valid = try validTask(task, lease, besides: tasks)
            let input = tasks.first?.signature.inputs.first ?? valid.signature.inputs.first
            guard valid.signature.inputs.first?.graphName == input?.graphName else {
                throw ServingError.invalidArgument(
                    "Input tensor must be the same for all Signatures.")
            }
            tasks.append(valid)
        }
        return tasks
    }

    private func validTask(
        _ task: Tensorflow_Serving_InferenceTask, _ lease: ServableLease, besides others: [Task]
    ) throws -> Task {
        let asked = task.modelSpec.signatureName
        let name = asked.isEmpty ? Signature.defaultName : asked
        guard !others.contains(where: { $0.signature.name == name }) else {
            throw ServingError.invalidArgument("Duplicate evaluation of signature: \(name)")
        }
        guard let signature = lease.loaded.servable.signatures[name] else {
            throw ServingError.invalidArgument(
                "Requested signature not found in model graph: \(name)")
        }
        guard let method = ExampleMethod(rawValue: task.methodName) else {
            throw ServingError(
                .unimplemented, "Unsupported signature method_name: \(task.methodName)")
        }
        let outputs = try predictor.outputNames(of: signature, as: method, lease: lease)
        return Task(
            signature: signature, method: method, outputs: try signature.selectOutputs(outputs))
    }
}
