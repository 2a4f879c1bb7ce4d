public import MartletProtocols
internal import SwiftProtobuf

extension BatchingParameters {
    /// Takes the parameters that a message sets; those it leaves out keep their defaults.
    ///
    /// - Parameter message: the message, as a file of the operator or of a model holds it.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when the parameters are not valid.
    public init(_ message: Tensorflow_Serving_BatchingParameters) throws {
        self.init()
        take(message)
        if message.hasNumBatchThreads { numBatchThreads = Int(message.numBatchThreads.value) }
        if message.hasThreadPoolName { threadPoolName = message.threadPoolName.value }
        try validate()
    }

    /// These parameters with what a model's own file says instead, but for the threads, which
    /// models share.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when the parameters are not valid.
    func replaced(by model: Tensorflow_Serving_BatchingParameters) throws -> BatchingParameters {
        var parameters = BatchingParameters()
        parameters.take(model)
        parameters.numBatchThreads = numBatchThreads
        parameters.threadPoolName = threadPoolName
        parameters.targetLatency = targetLatency
        try parameters.validate()
        return parameters
    }

    private mutating func take(_ message: Tensorflow_Serving_BatchingParameters) {
        if message.hasMaxBatchSize { maxBatchSize = Int(message.maxBatchSize.value) }
        if message.hasBatchTimeoutMicros {
            batchTimeoutMicros = Int(message.batchTimeoutMicros.value)
        }
        if message.hasMaxEnqueuedBatches {
            maxEnqueuedBatches = Int(message.maxEnqueuedBatches.value)
        }
        if message.hasEnableLargeBatchSplitting {
            enableLargeBatchSplitting = message.enableLargeBatchSplitting.value
        }
        if message.hasMaxExecutionBatchSize {
            maxExecutionBatchSize = Int(message.maxExecutionBatchSize.value)
        }
        allowedBatchSizes = message.allowedBatchSizes.map(Int.init)
        padVariableLengthInputs = message.padVariableLengthInputs
    }
}
