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
    private let parameters: BatchingParameters
    private let readsModelParameters: Bool

    /// Creates what makes the queues.
    ///
    /// - Parameters:
    ///   - parameters: for all models.
    ///   - readsModelParameters: whether `batching_params.pbtxt` in a version's folder goes before
    ///     `parameters`.
    ///   - metrics: takes what batching does.
    ///   - servingMetrics: takes it under TensorFlow Serving's names.
    public init(
        parameters: BatchingParameters, readsModelParameters: Bool = false,
        metrics: MetricsRegistry, servingMetrics: ServingMetrics = ServingMetrics()
    ) {
        self.parameters = parameters
        self.readsModelParameters = readsModelParameters
        scheduler = BatchScheduler(
            observer: BatchMetrics(metrics: metrics, servingMetrics: servingMetrics))
    }

    /// The largest batch that a model sees, unless its own parameters say otherwise.
    var largestBatch: Int { max(1, parameters.executionBatchSize) }

    /// The queues of a servable by signature.
    ///
    /// - Parameters:
    ///   - servable: runs the batches.
    ///   - folder: the version's.
    /// - Returns: a queue for each signature.
    /// - Throws: `ServingError` when the model's own parameters cannot be used.
    func queues(for servable: any Servable, folder: String) throws -> [String: BatchQueue] {
        let parameters = try parameters(in: folder)
        return try servable.signatures.mapValues { signature in
            try scheduler.makeQueue(
                name: "\(servable.id.model)/\(signature.name)", parameters: parameters
            ) { inputs, outputs in
                try servable.run(signature, inputs: inputs, outputs: outputs)
            }
        }
    }

    private func parameters(in folder: String) throws -> BatchingParameters {
        let file = "\(folder)/\(ServableBatching.parametersFile)"
        guard readsModelParameters, FileManager.default.fileExists(atPath: file) else {
            return parameters
        }
        return try parameters.replaced(
            by: ProtobufTextFile.read(file, as: Tensorflow_Serving_BatchingParameters.self))
    }
}
