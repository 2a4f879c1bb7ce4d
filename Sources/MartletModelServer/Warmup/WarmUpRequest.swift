import MartletCore
import MartletEngines
import MartletProtocols
import MartletTensors

/// A logged request that is run for its effect on the engine; its response is thrown away.
struct WarmUpRequest {
    private let log: Tensorflow_Serving_PredictionLog
    private let limits: Limits

    init(_ log: Tensorflow_Serving_PredictionLog, limits: Limits) {
        self.log = log
        self.limits = limits
    }

    /// Runs the request.
    ///
    /// - Throws: `ServingError` as the API of the request would, `UNIMPLEMENTED` for runs of bare
    ///   graphs.
    func run(in servable: any Servable) throws {
        switch log.logType {
        case .predictLog(let predict): try run(predict.request, in: servable)
        case .predictStreamedLog(let streamed):
            for request in streamed.request { try run(request, in: servable) }
        case .classifyLog(let classify):
            try run(classify.request.input, classify.request.modelSpec, in: servable)
        case .regressLog(let regress):
            try run(regress.request.input, regress.request.modelSpec, in: servable)
        case .multiInferenceLog(let multiple):
            for task in multiple.request.tasks {
                try run(multiple.request.input, task.modelSpec, in: servable)
            }
        case .sessionRunLog:
            // The number is that of the message's field.
            throw ServingError(.unimplemented, "Unsupported log_type for warmup: 5")
        case nil: break
        }
    }

    /// The request to predict, to try engines by; `nil` for those of other kinds and for
    /// signatures that there are not.
    ///
    /// - Throws: `ServingError` for tensors that are not the signature's.
    func trialRequest(
        of signatures: [String: Signature], isTimed: Bool
    ) throws -> EngineTrial.Request? {
        guard case .predictLog(let predict) = log.logType,
            let signature = signatures[name(of: predict.request.modelSpec)]
        else { return nil }
        let inputs = try signature.validate(tensors(of: predict.request))
        return EngineTrial.Request(
            signature: signature, inputs: inputs,
            batch: inputs.first?.tensor.shape.dimensions.first ?? 1, isTimed: isTimed)
    }

    private func tensors(
        of request: Tensorflow_Serving_PredictRequest
    ) throws -> [NamedTensor] {
        try request.inputs.map { input in
            NamedTensor(
                name: input.key, tensor: try Tensor(input.value, name: input.key, limits: limits))
        }
    }

    private func name(of spec: Tensorflow_Serving_ModelSpec) -> String {
        spec.signatureName.isEmpty ? Signature.defaultName : spec.signatureName
    }

    private func run(
        _ request: Tensorflow_Serving_PredictRequest, in servable: any Servable
    ) throws {
        let signature = try signature(of: request.modelSpec, in: servable)
        let inputs = try tensors(of: request)
        _ = try servable.run(
            signature, inputs: signature.validate(inputs),
            outputs: signature.selectOutputs(request.outputFilter))
    }

    private func run(
        _ input: Tensorflow_Serving_Input, _ spec: Tensorflow_Serving_ModelSpec,
        in servable: any Servable
    ) throws {
        let signature = try signature(of: spec, in: servable)
        guard signature.inputs.count == 1 else {
            throw ServingError.invalidArgument("Expected one input Tensor.")
        }
        let examples = try SerializedExamples(input).tensor()
        _ = try servable.run(
            signature, inputs: signature.validate([examples]), outputs: signature.outputs)
    }

    private func signature(
        of spec: Tensorflow_Serving_ModelSpec, in servable: any Servable
    ) throws -> Signature {
        let name = name(of: spec)
        guard let signature = servable.signatures[name] else {
            throw ServingError(
                .failedPrecondition, "Serving signature key \"\(name)\" not found.")
        }
        return signature
    }
}
