import MartletCore
import MartletEngines
import MartletProtocols
import MartletTensors
import MartletTransport

/// A validated run of a signature, and what makes an answer of its result.
struct Prediction<Response: Sendable>: Sendable {
    /// Holds the servable.
    let lease: ServableLease
    /// One of the servable's signatures.
    let signature: Signature
    /// Validated, in the order of the signature's inputs.
    let inputs: [NamedTensor]
    /// The outputs wanted.
    let outputs: [TensorSpec]
    /// Further signatures that are run over the same inputs, for requests that ask for several.
    ///
    /// Their outputs come behind those of the first.
    var companions: [OutputSelection] = []
    /// Encodes the outputs, in the order of ``outputs``, then of ``companions``.
    var respond: @Sendable ([NamedTensor]) throws -> Response
    /// Makes the message to log of the outputs, where the request was not a plain predict; `nil`
    /// to log the tensors as one.
    var log: (@Sendable ([NamedTensor]) throws -> Tensorflow_Serving_PredictionLog)?

    /// Validates the inputs of a request.
    ///
    /// - Parameters:
    ///   - signature: one of the servable's signatures.
    ///   - lease: holds the servable.
    ///   - inputs: the request's tensors.
    ///   - outputFilter: names of the outputs wanted; empty for all.
    ///   - respond: encodes the outputs in the order asked for.
    /// - Throws: `ServingError` of the validation.
    init(
        _ signature: Signature, of lease: ServableLease, inputs: [NamedTensor],
        outputFilter: [String] = [], respond: @escaping @Sendable ([NamedTensor]) throws -> Response
    ) throws {
        self.lease = lease
        self.signature = signature
        outputs = try signature.selectOutputs(outputFilter)
        self.inputs = try signature.validate(inputs)
        self.respond = respond
    }
}

extension Prediction {
    /// All that is run, the first signature before its companions.
    var selections: [OutputSelection] {
        [OutputSelection(signature: signature, outputs: outputs)] + companions
    }
}

/// What a handler makes of a request.
enum Answer<Response: Sendable>: Sendable {
    /// The answer itself.
    case ready(Response)
    /// A model has to run first.
    case prediction(Prediction<Response>)
    /// Something has to happen first, which no thread waits for.
    ///
    /// The function is called once and returns at once; it calls its parameter once, on any thread.
    case later(
        @Sendable (_ completion: @escaping @Sendable (Result<Response, any Error>) -> Void) -> Void)
}
