import MartletCore
import MartletProtocols
import MartletTensors
import MartletTransport

/// A `PredictRequest`, read in whichever way can read it.
enum PredictCall {
    /// As clients write it, tensors and all.
    case plain(PredictRequestWire)
    /// With something unusual, or wrong, in it: its tensors are decoded when the model is known.
    case message(Tensorflow_Serving_PredictRequest)

    /// Reads the message of a call.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    init(_ call: GRPCCall, limits: Limits) throws {
        if let request = PredictRequestWire(call.message, limits: limits) {
            self = .plain(request)
        } else {
            self = .message(try GRPCCoding.decode(call, within: limits))
        }
    }

    /// The model that is asked for.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when none is.
    func target(_ subject: inout RequestSubject) throws -> ModelSpecTarget {
        switch self {
        case .plain(let request): try ModelSpecTarget(request.modelSpec, &subject)
        case .message(let request):
            try ModelSpecTarget(request.hasModelSpec ? request.modelSpec : nil, &subject)
        }
    }

    /// Names of the outputs wanted.
    var outputFilter: [String] {
        switch self {
        case .plain(let request): request.outputFilter
        case .message(let request): request.outputFilter
        }
    }

    /// The tensors, with those that were left out and need not be sent.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) naming the input.
    func inputs(
        defaults: [String: Tensorflow_TensorProto]?, limits: Limits
    ) throws -> [NamedTensor] {
        var inputs =
            switch self {
            case .plain(let request): request.inputs
            case .message(let request):
                try request.inputs.map { name, tensor in
                    NamedTensor(
                        name: name, tensor: try Tensor(tensor, name: name, limits: limits))
                }
            }
        for (name, tensor) in defaults ?? [:] where !inputs.contains(where: { $0.name == name }) {
            inputs.append(
                NamedTensor(name: name, tensor: try Tensor(tensor, name: name, limits: limits)))
        }
        return inputs
    }
}
