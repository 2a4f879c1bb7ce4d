import ArgumentParser
import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletModelServer
import MartletTelemetry
import MartletTransport
import ServiceLifecycle

/// Runs a node as `tensorflow_model_server` does: its flags, its files, its two ports.
struct ModelServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: ModelServerInvocation.programName,
        abstract: "Serve models with the flags and files of TensorFlow Serving.",
        discussion: """
            The same as 'martlet model-server'. Values may follow '=' or a space; switches need \
            none. To serve with Martlet's own flags, see 'martlet serve --help'.

            EXAMPLES
              tensorflow_model_server --rest_api_port=8501 --model_name=m --model_base_path=/models/m
              tensorflow_model_server --port=8500 --rest_api_port=8501 \\
                --model_config_file=/models/models.config --model_config_file_poll_wait_seconds=60
            """)

    @OptionGroup var flags: ModelServerFlags
    @OptionGroup var extras: ModelServerExtras

    /// Runs the command and ends the process, with 255 when the server cannot start.
    ///
    /// - Parameter arguments: what stands behind the name of the program.
    static func start(_ arguments: [String]) async {
        do {
            var command = try parseAsRoot(ModelServerArguments().normalized(arguments))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }

    private static func end(with error: any Error) -> Never {
        guard !(error is ServingError) else {
            _ = ExitCodes.report(error)
            Foundation.exit(ModelServerFlags.failure.rawValue)
        }
        let code = exitCode(for: error)
        let text = fullMessage(for: error)
        let output = code.isSuccess ? FileHandle.standardOutput : FileHandle.standardError
        if !text.isEmpty { try? output.write(contentsOf: Data((text + "\n").utf8)) }
        Foundation.exit(code.isSuccess ? code.rawValue : ModelServerFlags.failure.rawValue)
    }

    /// What flags and files say; what is wrong with them is told in the words that scripts look
    /// for.
    private func settle() throws -> (ModelServerSettings, NodeSettings) {
        do {
            let settings = try ModelServerSettings(flags)
            var node = try settings.node(flags)
            try extras.apply(to: &node)
            return (settings, node)
        } catch let error as ServingError {
            throw ServingError(
                error.code, "Failed to start server. Error: \(error)", cause: error.cause)
        }
    }

    func run() async throws {
        if flags.isVersionWanted {
            let library = try? TensorFlowLibrary(
                directory: TensorFlowLibrary.locate(preferred: nil))
            print(ModelServerFlags.versionText(tensorFlow: library?.version), terminator: "")
            return
        }
        let (settings, node) = try settle()
        let logs = try LogOptions.parse(extras.accessLog ? [] : ["--no-access-log"]).start()
        let logger = Logger(label: "martlet.node")
        for warning in flags.warnings + settings.warnings { logger.warning("\(warning)") }
        let (flags, settled) = (flags, node)
        try await NodeProcess.run(logs: logs, failure: ModelServerFlags.failure) { accessLog in
            let runner = NodeRunner(settings: settled, accessLog: accessLog) { administration in
                guard let file = flags.modelConfig,
                    let interval = flags.modelConfigFilePollInterval
                else { return [] }
                return [
                    ModelConfigFileWatch(
                        file: file, interval: interval, administration: administration,
                        logger: logger)
                ]
            }
            try await runner.run()
        }
    }
}
