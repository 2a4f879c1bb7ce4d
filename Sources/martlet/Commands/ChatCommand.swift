import ArgumentParser
import Foundation
import MartletCore

/// `martlet chat`: talks to a language model in the terminal.
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk to a language model that a node or gateway serves.",
        discussion: """
            With a PROMPT, or with text on standard input, it prints one answer and ends. Else it is \
            a conversation: /reset forgets it, /quit or Ctrl-D ends it, and Ctrl-C stops an answer.

            EXAMPLES
              martlet chat
              martlet chat Why do birds fly in the shape of a V?
              martlet chat --system 'Answer in one sentence.' --stats 'What is a martlet?'
              martlet chat --url https://llm.example --model smollm2 --key-file key.txt < letter.txt
              martlet chat --json 'Say hello' | jq -r .content

            Exits with 1 if the server refuses, 64 for a wrong command line, 69 if it does not \
            answer, 77 if the caller may not ask, and 130 if it was interrupted.
            """)

    @Option(
        help: ArgumentHelp(
            "The node or gateway, http:// or https://.", valueName: "url"))
    var url = ChatAddress(network: NetworkAddress(host: "127.0.0.1", port: 8500))

    @Option(
        help: ArgumentHelp(
            "The model; need not be named where there is only one.", valueName: "name"))
    var model: String?

    @Option(
        name: [.customLong("key-file"), .customLong("api-key-file")],
        help: ArgumentHelp(
            "File whose first API key is shown; else that of MARTLET_API_KEY, if there is one.",
            valueName: "file"))
    var keyFile: String?

    @Option(
        help: ArgumentHelp(
            "Authorities that sign the server's certificate; those that the system trusts unless "
                + "named.", valueName: "file"))
    var cacert: String?

    @Option(
        help: ArgumentHelp("What the model is told before all else.", valueName: "text"))
    var system: String?

    @Option(help: ArgumentHelp("Most tokens of an answer.", valueName: "n"))
    var maxTokens: Int?

    @Option(
        help: ArgumentHelp(
            "How freely tokens are chosen: 0 for always the likeliest, up to 2.",
            valueName: "number"))
    var temperature: Double?

    @Option(help: ArgumentHelp("Seed of the choice of tokens.", valueName: "n"))
    var seed: Int?

    @Option(help: "Longest wait for more of an answer, in seconds.")
    var timeoutSeconds = 300.0

    @Flag(help: "Tell the number of tokens, the time to the first and the rate of the others.")
    var stats = false

    @Flag(help: "Print one JSON object for each answer.")
    var json = false

    @Argument(help: "What to ask; several words are one question.")
    var prompt: [String] = []

    func validate() throws {
        guard timeoutSeconds > 0, timeoutSeconds < 1e6 else {
            throw ValidationError(
                "--timeout-seconds is \(timeoutSeconds); use more than 0, below 1e6")
        }
        guard maxTokens.map({ $0 > 0 }) ?? true else {
            throw ValidationError("--max-tokens is \(maxTokens ?? 0); use more than 0")
        }
        guard temperature.map({ (0...2).contains($0) }) ?? true else {
            throw ValidationError("--temperature is \(temperature ?? 0); use 0 to 2")
        }
        guard url.speaksTLS || cacert == nil else {
            throw ValidationError("--cacert is for TLS: write --url https://\(url.network)")
        }
    }

    func run() async throws {
        do {
            let question = try question()
            let client = try ChatClient(
                url, key: try key, authorities: cacert, timeout: .seconds(timeoutSeconds))
            var wishes = ChatConversation.Wishes(model: try await choose(client))
            wishes.tokensMax = maxTokens
            wishes.temperature = temperature
            wishes.seed = seed
            let session = ChatSession(
                client: client, wishes: wishes, system: system, showsStatistics: stats,
                isJSON: json)
            if let question {
                try await session.answer(question)
            } else {
                try await session.converse()
            }
        } catch {
            throw ExitCodes.report(error)
        }
    }

    /// The one question of the command line or of standard input; `nil` for a conversation.
    private func question() throws -> String? {
        if prompt.isEmpty, isatty(STDIN_FILENO) == 1 { return nil }
        let text =
            prompt.isEmpty
            ? String(
                decoding: try FileHandle.standardInput.readToEnd() ?? Data(), as: UTF8.self)
            : prompt.joined(separator: " ")
        guard !text.allSatisfy(\.isWhitespace) else {
            throw ServingError.invalidArgument(
                "There is nothing to ask: write it behind 'martlet chat', or on standard input")
        }
        return text
    }

    private var key: String? {
        get throws {
            try keyFile.map(ModelAdminClient.firstKey)
                ?? ProcessInfo.processInfo.environment[BenchAccessOptions.keyVariable]
        }
    }

    /// The model asked for, or the only one.
    private func choose(_ client: ChatClient) async throws -> String {
        if let model { return model }
        let models = try await client.models()
        guard let only = models.first else {
            throw ServingError(
                .failedPrecondition, "\(url) serves no language model; name another with --url")
        }
        guard models.count == 1 else {
            throw ServingError.invalidArgument(
                "\(url) serves \(models.count) models; name one with --model: "
                    + models.prefix(64).joined(separator: ", ").withoutTerminalControls)
        }
        return only
    }
}
