import ArgumentParser
import MartletCore
import MartletModelServer
import MartletProtocols
import MartletRepository

/// Flags that say how requests are put together into batches.
struct BatchingOptions: ParsableArguments {
    /// How batches are formed.
    enum Mode: String, ExpressibleByArgument, CaseIterable {
        /// Requests run alone.
        case off
        /// By TensorFlow Serving's parameters.
        case fixed
        /// By what is learned of each model, to keep a target latency.
        case adaptive
    }

    /// What `--target-latency-ms-p99` says.
    struct Targets: Equatable {
        /// Of the models that are not named.
        var all: Duration?
        /// Of the models that are.
        var models: [String: Duration] = [:]
    }

    /// The target of adaptive batches when none is named, in milliseconds.
    static let targetMillisecondsDefault = 50

    @Option(
        help: ArgumentHelp(
            "How requests are put together into batches: off, fixed (by TensorFlow Serving's "
                + "parameters) or adaptive (by what is learned of each model, to keep "
                + "--target-latency-ms-p99). Off unless a flag of batching is there.",
            valueName: "mode"))
    var batching: Mode?

    @Flag(help: "The same as --batching fixed.")
    var enableBatching = false

    @Option(
        help: ArgumentHelp(
            "Text file of TensorFlow Serving's BatchingParameters.", valueName: "file"))
    var batchingParametersFile: String?

    @Option(
        name: .customLong("target-latency-ms-p99"),
        help: ArgumentHelp(
            "Milliseconds in which 99 of 100 requests to all models, or to the model NAME, are to "
                + "be answered; makes its batches adaptive; may be repeated. Default with "
                + "--batching adaptive: \(BatchingOptions.targetMillisecondsDefault).",
            valueName: "[NAME=]ms"))
    var targetTexts: [String] = []

    func validate() throws {
        let targets = try targets
        guard batching != .off || !enableBatching && batchingParametersFile == nil else {
            throw ValidationError(
                "--batching off goes with neither --enable-batching nor "
                    + "--batching-parameters-file")
        }
        guard targets.all == nil || batching == nil || batching == .adaptive else {
            throw ValidationError(
                "--target-latency-ms-p99 without a model's name makes all batches adaptive: leave "
                    + "out --batching \(batching?.rawValue ?? ""), or name models")
        }
        guard batching != .adaptive || !enableBatching else {
            throw ValidationError(
                "--enable-batching is --batching fixed; leave it out for adaptive batches")
        }
    }

    /// How requests are put together to models that have no target of their own; `nil` to run each
    /// by itself.
    var parameters: BatchingParameters? {
        get throws {
            var parameters: BatchingParameters?
            if let batchingParametersFile {
                parameters = try BatchingParameters(
                    ProtobufTextFile.read(
                        batchingParametersFile, as: Tensorflow_Serving_BatchingParameters.self))
            } else if enableBatching || batching == .fixed {
                parameters = BatchingParameters()
            }
            guard try batching == .adaptive || targets.all != nil else { return parameters }
            var adaptive = parameters ?? BatchingParameters()
            adaptive.targetLatency =
                try targets.all ?? .milliseconds(BatchingOptions.targetMillisecondsDefault)
            return adaptive
        }
    }

    /// The target latencies.
    var targets: Targets {
        get throws { try Targets(targetTexts) }
    }
}

extension BatchingOptions.Targets {
    /// Reads the values of `--target-latency-ms-p99`.
    ///
    /// - Throws: `ValidationError` that names the value.
    init(_ texts: [String]) throws {
        self.init()
        let range = BatchingParameters.targetMillisecondsRange
        for text in texts {
            let sign = text.lastIndex(of: "=")
            let number = sign.map { text[text.index(after: $0)...] } ?? text[...]
            guard let milliseconds = Double(number), milliseconds >= Double(range.lowerBound),
                milliseconds <= Double(range.upperBound), sign != text.startIndex
            else {
                throw ValidationError(
                    "--target-latency-ms-p99 \(text): write MS or NAME=MS, with milliseconds from "
                        + "\(range.lowerBound) to \(range.upperBound)")
            }
            let target = Duration.microseconds(Int((milliseconds * 1000).rounded()))
            if let sign { models[String(text[..<sign])] = target } else { all = target }
        }
    }
}
