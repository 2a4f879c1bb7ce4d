import Foundation
import MartletCore
import MartletEngines
import MartletProtocols
import MartletRepository
public import MartletTelemetry
import MartletTensors

/// Gives each servable of a node its batch queues, one a signature.
public struct ServableBatching: Sendable {
    /// The file in a version's folder that holds the model's own parameters.
    static let parametersFile = "batching_params.pbtxt"

    let scheduler: BatchScheduler
    private let parameters: BatchingParameters?
    private let targets: [String: Duration]
    private let readsModelParameters: Bool

    /// Creates what makes the queues.
    ///
    /// - Parameters:
    ///   - parameters: for all models; `nil` to batch only those in `targets`.
    ///   - targets: the target latencies of single models, whose batches are adaptive.
    ///   - readsModelParameters: whether `batching_params.pbtxt` in a version's folder goes before
    ///     `parameters`.
    ///   - metrics: takes what batching does.
    ///   - servingMetrics: takes it under TensorFlow Serving's names.
    public init(
        parameters: BatchingParameters?, targets: [String: Duration] = [:],
        readsModelParameters: Bool = false,
        metrics: MetricsRegistry, servingMetrics: ServingMetrics = ServingMetrics()
    ) {
        self.parameters = parameters
        self.targets = targets
        self.readsModelParameters = readsModelParameters
        scheduler = BatchScheduler(
            observer: BatchMetrics(metrics: metrics, servingMetrics: servingMetrics))
        if isAdaptive { BatchMetrics.showKnowledge(of: scheduler, in: metrics) }
    }

    /// Whether requests of some model are put together adaptively, so that priorities count.
    var isAdaptive: Bool { parameters?.targetLatency != nil || !targets.isEmpty }

    /// The largest batch that a model sees, unless its own parameters say otherwise; `nil` when its
    /// requests run alone.
    func largestBatch(of model: String) -> Int? {
        parameters(of: model).map { max(1, $0.executionBatchSize) }
    }

    /// The queues of a servable by signature.
    ///
    /// - Parameters:
    ///   - servable: runs the batches.
    ///   - folder: the version's.
    /// - Returns: a queue for each signature; none where requests run alone.
    /// - Throws: `ServingError` when the model's own parameters cannot be used.
    func queues(for servable: any Servable, folder: String) throws -> [String: BatchQueue] {
        guard let parameters = try parameters(of: servable.id.model, in: folder) else {
            return [:]
        }
        return try servable.signatures.mapValues { signature in
            try scheduler.makeQueue(
                name: "\(servable.id.model)/\(signature.name)", parameters: parameters
            ) { inputs, outputs in
                try servable.run(signature, inputs: inputs, outputs: outputs)
            }
        }
    }

    private func parameters(of model: String) -> BatchingParameters? {
        guard let target = targets[model] else { return parameters }
        var own = parameters ?? BatchingParameters()
        own.targetLatency = target
        return own
    }

    private func parameters(
        of model: String, in folder: String
    ) throws -> BatchingParameters? {
        guard let parameters = self.parameters(of: model) else { return nil }
        let file = "\(folder)/\(ServableBatching.parametersFile)"
        guard readsModelParameters, FileManager.default.fileExists(atPath: file) else {
            return parameters
        }
        return try parameters.replaced(
            by: ProtobufTextFile.read(file, as: Tensorflow_Serving_BatchingParameters.self))
    }
}
