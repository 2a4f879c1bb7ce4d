import MartletCore
import MartletProtocols
import MartletTransport

/// The methods of TensorFlow Serving's `PredictionService` that take examples.
struct ExampleGRPCService: GRPCService {
    private static let prefix = "/tensorflow.serving.PredictionService/"

    let manager: ModelManager
    let limits: Limits
    let predictor: ExamplePredictor

    var operations: [String: Operation<GRPCCall, [UInt8]>] {
        [
            Self.prefix + "Classify": Operation(name: "classify", lane: .engine) {
                try classify(GRPCCoding.decode($0, within: limits), subject: &$1)
            },
            Self.prefix + "Regress": Operation(name: "regress", lane: .engine) {
                try regress(GRPCCoding.decode($0, within: limits), subject: &$1)
            },
            Self.prefix + "MultiInference": Operation(name: "multi_inference", lane: .engine) {
                .prediction(
                    try MultiInference(
                        GRPCCoding.decode($0, within: limits), predictor: predictor
                    ).prediction(manager: manager, subject: &$1))
            },
        ]
    }

    private func classify(
        _ request: Tensorflow_Serving_ClassificationRequest, subject: inout RequestSubject
    ) throws -> Answer<[UInt8]> {
        let target = try ModelSpecTarget(request.hasModelSpec ? request.modelSpec : nil, &subject)
        let lease = try target.lease(from: manager, subject: &subject)
        return .prediction(
            try predictor.prediction(
                .classify, signatureName: target.signatureName, lease: lease,
                examples: SerializedExamples(request.input), subject: &subject
            ) { result, spec in
                var response = Tensorflow_Serving_ClassificationResponse()
                response.modelSpec = spec
                if case .classificationResult(let message) = result.message {
                    response.result = message
                }
                return try GRPCCoding.encode(response)
            })
    }

    private func regress(
        _ request: Tensorflow_Serving_RegressionRequest, subject: inout RequestSubject
    ) throws -> Answer<[UInt8]> {
        let target = try ModelSpecTarget(request.hasModelSpec ? request.modelSpec : nil, &subject)
        let lease = try target.lease(from: manager, subject: &subject)
        return .prediction(
            try predictor.prediction(
                .regress, signatureName: target.signatureName, lease: lease,
                examples: SerializedExamples(request.input), subject: &subject
            ) { result, spec in
                var response = Tensorflow_Serving_RegressionResponse()
                response.modelSpec = spec
                if case .regressionResult(let message) = result.message {
                    response.result = message
                }
                return try GRPCCoding.encode(response)
            })
    }
}
