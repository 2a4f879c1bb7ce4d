import MartletCore
import MartletEngines
import MartletProtocols
import MartletTensors
import MartletTransport
internal import SwiftProtobuf

/// TensorFlow Serving's `PredictionService`.
struct PredictionGRPCService: GRPCService {
    private static let prefix = "/tensorflow.serving.PredictionService/"

    let manager: ModelManager
    let limits: Limits
    let options: TensorFlowServingOptions

    var operations: [String: Operation<GRPCCall, [UInt8]>] {
        [
            Self.prefix + "Predict": Operation(name: "predict", lane: .engine) { call, subject in
                try predict(PredictCall(call, limits: limits), subject: &subject)
            },
            Self.prefix + "GetModelMetadata": Operation(name: "metadata", lane: .control) {
                .ready(try metadata(GRPCCoding.decode($0), subject: &$1))
            },
        ]
    }

    private func predict(
        _ call: PredictCall, subject: inout RequestSubject
    ) throws -> Answer<[UInt8]> {
        let target = try call.target(&subject)
        let lease = try target.lease(from: manager, subject: &subject)
        let servable = lease.loaded.servable
        let name = target.signatureName.isEmpty ? Signature.defaultName : target.signatureName
        guard let signature = servable.signatures[name] else {
            throw ServingError(
                .failedPrecondition, "Serving signature key \"\(name)\" not found.")
        }
        subject.signature = name
        try options.checkMayPredict(signature)
        let inputs = try call.inputs(defaults: lease.loaded.inputDefaults[name], limits: limits)
        let asContent = options.sendsTensorContent
        return .prediction(
            try Prediction(signature, of: lease, inputs: inputs, outputFilter: call.outputFilter) {
                PredictResponseWire.encode(
                    $0,
                    modelSpec: ModelSpecWire(
                        name: servable.id.model, version: servable.id.version, signatureName: name),
                    asContent: asContent)
            })
    }

    private func metadata(
        _ request: Tensorflow_Serving_GetModelMetadataRequest, subject: inout RequestSubject
    ) throws -> [UInt8] {
        let target = try ModelSpecTarget(request.hasModelSpec ? request.modelSpec : nil, &subject)
        guard !request.metadataField.isEmpty else {
            throw ServingError.invalidArgument(
                "GetModelMetadataRequest must specify at least one metadata_field")
        }
        for field in request.metadataField where field != "signature_def" {
            throw ServingError.invalidArgument("Metadata field \(field) is not supported")
        }
        let lease = try target.lease(from: manager, subject: &subject)
        let id = lease.loaded.servable.id
        var map = Tensorflow_Serving_SignatureDefMap()
        map.signatureDef = lease.loaded.signatureDefs
        var response = Tensorflow_Serving_GetModelMetadataResponse()
        response.modelSpec = Tensorflow_Serving_ModelSpec(effective: id, signature: "")
        response.metadata["signature_def"] = try Google_Protobuf_Any(message: map)
        return try GRPCCoding.encode(response)
    }
}
