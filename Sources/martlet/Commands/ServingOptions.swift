import ArgumentParser
import MartletModelServer

/// Flags that say how TensorFlow Serving's APIs answer.
struct ServingOptions: ParsableArguments {
    @Flag(help: "Let web pages of other origins call the REST APIs.")
    var cors = false

    @Option(help: "Longest a REST request may take, in seconds; 0 for as long as it takes.")
    var restTimeoutSeconds = 0.0

    @Option(
        help: ArgumentHelp(
            "Smallest answer over REST that is compressed for clients that take gzip; 0 for none.",
            valueName: "bytes"))
    var compressAnswersBytes = 1024

    @Flag(help: "Run a signature only as the method that it names: predict, classify, regress.")
    var checkMethodNames = false

    @Flag(help: "Answer predictions over gRPC in tensor_content rather than in typed values.")
    var tensorContent = false

    @Flag(help: "Let a reload give a new label to a version that does not answer yet.")
    var allowLabelsOfUnavailableVersions = false

    func validate() throws {
        guard restTimeoutSeconds >= 0, restTimeoutSeconds < 1e6 else {
            throw ValidationError(
                "--rest-timeout-seconds is \(restTimeoutSeconds); use 0 or more, below 1e6")
        }
        guard compressAnswersBytes >= 0 else {
            throw ValidationError(
                "--compress-answers-bytes is \(compressAnswersBytes); use 0 or more")
        }
    }

    /// How long a REST request may take; `nil` for as long as it takes.
    var restTimeout: Duration? { restTimeoutSeconds > 0 ? .seconds(restTimeoutSeconds) : nil }

    /// The smallest answer that is compressed; `nil` for none.
    var compressedBytes: Int? {
        compressAnswersBytes > 0 ? compressAnswersBytes : nil
    }

    /// The options that these flags stand for.
    var options: TensorFlowServingOptions {
        var options = TensorFlowServingOptions()
        options.supportsCORS = cors
        options.checksMethodNames = checkMethodNames
        options.sendsTensorContent = tensorContent
        return options
    }
}
