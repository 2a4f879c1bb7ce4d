import ArgumentParser
import MartletCore
import MartletEngines
import MartletModelServer
import MartletRepository

/// Flags that `tensorflow_model_server` does not have, for what a model server of its kind lacks.
struct ModelServerExtras: ParsableArguments {
    /// Those that need a value, without dashes.
    static let valued: Set<String> = [
        "allow_op", "memory_budget", "api_key_file", "compress_answers_bytes", "engine",
        "precision", "openvino_path", "llama_path",
    ]
    /// Those that are true or false, without dashes.
    static let switches: Set<String> = ["allow_links_outside", "load_on_demand", "access_log"]

    @Option(
        name: .customLong("allow_op"),
        help: ArgumentHelp(
            "Martlet's own: an operation that reaches beyond its model, such as ReadFile, which "
                + "models may use all the same; may be repeated.", valueName: "name"))
    var allowedOperations: [String] = []

    @Option(
        name: .customLong("allow_links_outside"),
        help: ArgumentHelp(
            "Martlet's own: follow links in a model's folder that lead out of it.",
            valueName: "true|false"))
    var allowLinksOutside = false

    @Option(
        name: .customLong("load_on_demand"),
        help: ArgumentHelp(
            "Martlet's own: load a model when somebody first asks for it.",
            valueName: "true|false"))
    var loadOnDemand = false

    @Option(
        name: .customLong("memory_budget"),
        help: ArgumentHelp(
            "Martlet's own: memory that all models together may take, such as 8GiB.",
            valueName: "bytes"))
    var memoryBudget: ByteCount?

    @Option(
        name: .customLong("api_key_file"),
        help: ArgumentHelp(
            "Martlet's own: API keys, one a line, of which each request must show one.",
            valueName: "path"))
    var apiKeyFile: String?

    @Option(
        name: .customLong("compress_answers_bytes"),
        help: ArgumentHelp(
            "Martlet's own: smallest answer over REST that is compressed for clients that take "
                + "gzip; 0 for none.", valueName: "bytes"))
    var compressAnswersBytes = 0

    @Option(
        name: .customLong("access_log"),
        help: ArgumentHelp("Martlet's own: log a line for each request.", valueName: "true|false"))
    var accessLog = false

    @Option(
        name: .customLong("engine"),
        help: ArgumentHelp(
            "Martlet's own: which engine runs models, or the model NAME: auto, auto-both, "
                + "tensorflow, openvino, litert, llama; may be repeated.",
            valueName: "[NAME=]engine"))
    var engines: [String] = []

    @Option(
        name: .customLong("precision"),
        help: ArgumentHelp(
            "Martlet's own: how exactly models, or the model NAME, are run: exact, fast; may be "
                + "repeated.", valueName: "[NAME=]precision"))
    var precisions: [String] = []

    @Option(
        name: .customLong("openvino_path"),
        help: ArgumentHelp(
            "Martlet's own: the folder with OpenVINO's libraries.", valueName: "path"))
    var openvinoPath: String?

    @Option(
        name: .customLong("llama_path"),
        help: ArgumentHelp(
            "Martlet's own: the folder with llama.cpp's libraries.", valueName: "path"))
    var llamaPath: String?

    func validate() throws {
        _ = try EngineSettings(engines: engines, precisions: precisions)
    }

    /// Lays what these flags say over a node's settings.
    ///
    /// - Throws: `ValidationError` for an engine or a precision that there is not.
    func apply(to node: inout NodeSettings) throws {
        node.loading.engines = try EngineSettings(engines: engines, precisions: precisions)
        node.openvinoPath = openvinoPath
        node.llamaPath = llamaPath
        node.loading.safety = ModelSafety(
            allowedOperations: Set(allowedOperations), allowsLinksOutside: allowLinksOutside)
        node.manager.loadsOnDemand = loadOnDemand
        node.manager.memoryBudget = memoryBudget?.bytes
        node.apiKeyFile = apiKeyFile
        node.limits.compressedBytes =
            compressAnswersBytes > 0 ? compressAnswersBytes : nil
    }
}
