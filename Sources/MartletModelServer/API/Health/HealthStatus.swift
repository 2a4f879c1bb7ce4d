import MartletProtocols

extension NodeHealth {
    /// The state of a service as the standard health protocol knows it.
    typealias ServiceStatus = Grpc_Health_V1_HealthCheckResponse.ServingStatus

    /// Services that are healthy when the node is; the empty name stands for the node.
    private static let services: Set<String> = [
        "", "grpc.health.v1.Health", "inference.GRPCInferenceService",
        "tensorflow.serving.ModelService", "tensorflow.serving.PredictionService",
    ]

    /// The state of a service or, by its name, of a model.
    func status(ofService name: String) -> ServiceStatus {
        if NodeHealth.services.contains(name) { return isReady ? .serving : .notServing }
        guard manager.knows(model: name) else { return .serviceUnknown }
        if case .draining = readiness { return .notServing }
        return isReady(model: name, version: .latest) ? .serving : .notServing
    }
}
