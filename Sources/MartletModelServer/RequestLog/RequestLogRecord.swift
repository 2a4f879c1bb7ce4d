internal import Foundation
import MartletCore
import MartletEngines
import MartletProtocols
import MartletTensors
internal import SwiftProtobuf

/// A request that was answered and is to be logged; what is costly about it is done later, away
/// from the request.
struct RequestLogRecord: Sendable {
    /// About what a record takes beside its tensors.
    private static let overheadBytes = 256

    let configuration: RequestLogConfiguration
    let model: String
    /// About how much memory it holds.
    let byteCount: Int
    /// Makes the message, still without metadata.
    let makeMessage: @Sendable () throws -> Tensorflow_Serving_PredictionLog
    let makeMetadata: @Sendable () -> Tensorflow_Serving_LogMetadata

    /// Notes what is needed to log a prediction that succeeded.
    init(
        _ configuration: RequestLogConfiguration, prediction: Prediction<some Sendable>,
        outputs: [NamedTensor]
    ) {
        let (signature, inputs) = (prediction.signature, prediction.inputs)
        let makeMessage: @Sendable () throws -> Tensorflow_Serving_PredictionLog
        if let log = prediction.log {
            makeMessage = { try log(outputs) }
        } else {
            let spec = Tensorflow_Serving_ModelSpec(
                effective: prediction.lease.loaded.servable.id, signature: signature.name)
            let filter =
                prediction.outputs.count == signature.outputs.count ? [] : outputs.map(\.name)
            makeMessage = {
                .predict(spec, inputs: inputs, outputFilter: filter, outputs: outputs)
            }
        }
        self.init(
            configuration, loaded: prediction.lease.loaded, signature: signature.name,
            byteCount: (inputs + outputs).reduce(0) { $0 + $1.tensor.byteCount },
            makeMessage: makeMessage)
    }

    private init(
        _ configuration: RequestLogConfiguration, loaded: LoadedServable, signature: String,
        byteCount: Int,
        makeMessage: @escaping @Sendable () throws -> Tensorflow_Serving_PredictionLog
    ) {
        let id = loaded.servable.id
        let tags = loaded.tags
        let seconds = Int64(Date().timeIntervalSince1970)
        self.configuration = configuration
        self.byteCount = byteCount + RequestLogRecord.overheadBytes
        self.makeMessage = makeMessage
        model = id.model
        makeMetadata = {
            var metadata = Tensorflow_Serving_LogMetadata()
            metadata.modelSpec = Tensorflow_Serving_ModelSpec(effective: id, signature: signature)
            metadata.samplingConfig.samplingRate = configuration.samplingRate
            metadata.savedModelTags = tags
            metadata.timestampSecs = seconds
            return metadata
        }
    }

    /// The record as the log's files hold it.
    ///
    /// - Throws: when the message cannot be encoded.
    func encoded() throws -> [UInt8] {
        var message = try makeMessage()
        message.logMetadata = makeMetadata()
        switch configuration.format {
        case .json: return try message.jsonUTF8Bytes() + [UInt8(ascii: "\n")]
        case .tfrecord: return try message.serializedBytes()
        }
    }
}

extension Tensorflow_Serving_PredictionLog {
    /// A predict request and its response.
    static func predict(
        _ spec: Tensorflow_Serving_ModelSpec, inputs: [NamedTensor], outputFilter: [String],
        outputs: [NamedTensor]
    ) -> Tensorflow_Serving_PredictionLog {
        var log = Tensorflow_Serving_PredictionLog()
        log.predictLog.request.modelSpec = spec
        log.predictLog.request.outputFilter = outputFilter
        for input in inputs {
            log.predictLog.request.inputs[input.name] = Tensorflow_TensorProto(input.tensor)
        }
        log.predictLog.response.modelSpec = spec
        for output in outputs {
            log.predictLog.response.outputs[output.name] = Tensorflow_TensorProto(output.tensor)
        }
        return log
    }
}
