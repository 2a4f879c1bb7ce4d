internal import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletProtocols
import MartletRepository
import MartletTensors
internal import SwiftProtobuf

/// Runs a servable before anybody else does, so that the first request is not the slow one.
struct ModelWarmUp {
    /// Where a version keeps its warm-up requests.
    static let fileName = "assets.extra/tf_serving_warmup_requests"

    /// Most requests that engines are tried by, and those of them whose pace counts.
    private static let (trialRequestCount, timedRequestCount) = (8, 2)

    let options: WarmUpOptions
    let limits: Limits
    let metrics: ServingMetrics
    let logger: Logger
    /// Bounds on the prompts of language models.
    var bounds = OpenAILimits()

    /// Warms a servable up that does not answer yet; blocks as long as that takes.
    ///
    /// - Parameters:
    ///   - folder: the version's folder.
    ///   - loaded: the servable.
    /// - Throws: `ServingError` with TensorFlow Serving's messages for a file that cannot be
    ///   replayed: such a version is not to answer.
    func run(folder: String, loaded: LoadedServable) throws {
        let path = "\(folder)/\(ModelWarmUp.fileName)"
        if let model = loaded.servable as? any GenerativeModel {
            warn(of: path)
            return try readPrompts(folder: folder, loaded: loaded, model: model)
        }
        if options.isEnabled, FileManager.default.fileExists(atPath: path) {
            try replay(path, folder: folder, loaded: loaded)
        } else if options.usesZeros {
            ZeroWarmUp(limits: limits, logger: logger).run(loaded.servable)
        }
    }

    /// Requests to predict that come with a version, to try engines by.
    ///
    /// - Parameters:
    ///   - folder: the version's folder.
    ///   - signatures: the version's.
    /// - Returns: the first few; none without a file.
    /// - Throws: `ServingError` for a file that cannot be read.
    func trialRequests(
        folder: String, signatures: [String: Signature]
    ) throws -> [EngineTrial.Request] {
        let path = "\(folder)/\(ModelWarmUp.fileName)"
        guard options.isEnabled, FileManager.default.fileExists(atPath: path) else { return [] }
        let reader = try TFRecordReader(path: path, maximumRecordBytes: limits.messageBytes)
        var requests: [EngineTrial.Request] = []
        while requests.count < ModelWarmUp.trialRequestCount, let record = try reader.next() {
            let log = try Tensorflow_Serving_PredictionLog(serializedBytes: record)
            let isTimed = requests.filter(\.isTimed).count < ModelWarmUp.timedRequestCount
            let request = try WarmUpRequest(log, limits: limits)
                .trialRequest(of: signatures, isTimed: isTimed)
            if let request { requests.append(request) }
        }
        return requests
    }

    /// Tensors mean nothing to a language model: that they are there is no reason not to serve it.
    private func warn(of path: String) {
        guard options.isEnabled, FileManager.default.fileExists(atPath: path) else { return }
        logger.warning(
            "a language model takes no tensors: its warm-up requests are not replayed",
            metadata: ["file": "\(path)", "instead": "\(PromptWarmUp.fileName)"])
    }

    private func readPrompts(
        folder: String, loaded: LoadedServable, model: any GenerativeModel
    ) throws {
        let path = "\(folder)/\(PromptWarmUp.fileName)"
        guard options.isEnabled, options.iterations > 0,
            FileManager.default.fileExists(atPath: path)
        else { return }
        try measured(path, folder: folder) {
            let report = try PromptWarmUp(limits: limits, bounds: bounds)
                .run(path, loaded: loaded, model: model)
            return ["prompts": "\(report.prompts)", "tokens": "\(report.tokens)"]
        }
    }

    private func replay(_ path: String, folder: String, loaded: LoadedServable) throws {
        try measured(path, folder: folder) {
            do {
                return ["records": "\(try replayRecords(of: path, in: loaded.servable))"]
            } catch let error as ServingError where error.code == .dataLoss {
                throw ServingError(
                    .dataLoss,
                    error.message + ". Please verify your warmup data is in TFRecord format.",
                    cause: error.cause)
            }
        }
    }

    /// Runs a warm-up, which gives what the log says of it, and tells log and metrics how it went.
    private func measured(
        _ path: String, folder: String, _ body: () throws -> Logger.Metadata
    ) throws {
        let start = ContinuousClock.now
        logger.info("warming up", metadata: ["file": "\(path)"])
        let outcome = Result { try body() }
        let elapsed = ContinuousClock.now - start
        var failure: ServingError?
        if case .failure(let error) = outcome {
            failure = error as? ServingError ?? ServingError(.internal, "\(error)", cause: error)
        }
        metrics.didWarmUp(path: folder, error: failure, seconds: elapsed.seconds)
        var metadata = try outcome.get()
        metadata["file"] = "\(path)"
        metadata["seconds"] = "\(elapsed.secondsText)"
        logger.info("warmed up", metadata: metadata)
    }

    /// Replays the records in order.
    ///
    /// - Returns: how many there were.
    private func replayRecords(of path: String, in servable: any Servable) throws -> Int {
        let reader = try TFRecordReader(path: path, maximumRecordBytes: limits.messageBytes)
        var count = 0
        while let record = try reader.next() {
            guard let log = try? Tensorflow_Serving_PredictionLog(serializedBytes: record) else {
                let excerpt = String(decoding: record.prefix(64), as: UTF8.self)
                throw ServingError.invalidArgument(
                    "Failed to parse warmup record: \(excerpt) from \(path)")
            }
            count += 1
            guard count <= WarmUpOptions.maximumRecords else {
                throw ServingError.invalidArgument(
                    "Number of warmup records exceeds the maximum "
                        + "(\(WarmUpOptions.maximumRecords)) at \(path)")
            }
            let start = ContinuousClock.now
            for _ in 0..<max(0, options.iterations) {
                try WarmUpRequest(log, limits: limits).run(in: servable)
            }
            logger.debug(
                "warm-up record replayed",
                metadata: [
                    "record": "\(count)",
                    "seconds": "\((ContinuousClock.now - start).secondsText)",
                ])
        }
        return count
    }
}
