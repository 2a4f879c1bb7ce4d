import Foundation
import MartletCore
import MartletOperations
import Synchronization

/// Asks questions and prints their answers, one after the other.
struct ChatSession: Sendable {
    let client: ChatClient
    let wishes: ChatConversation.Wishes
    let system: String?
    let showsStatistics: Bool
    let isJSON: Bool

    private static let sign = "> "
    private static let help =
        "/reset forgets the conversation, /quit ends it, Ctrl-C stops an answer"

    /// Prints the answer to one question.
    ///
    /// - Throws: `ServingError`.
    func answer(_ question: String) async throws {
        var conversation = ChatConversation(system: system)
        conversation.ask(question)
        let answer = try await print(conversation)
        if !isJSON, !answer.text.hasSuffix("\n") { try write("\n") }
        try tell(answer)
    }

    /// Reads questions from the terminal and answers them until there are no more.
    ///
    /// - Throws: `ServingError` where nothing can be written any more.
    func converse() async throws {
        let running = ChatRunning()
        let interruption = Interruption { running.interrupt() }
        var conversation = ChatConversation(system: system)
        note("\(wishes.model) at \(client.address). \(ChatSession.help).")
        while let line = nextLine() {
            let question = line.trimmingCharacters(in: .whitespaces)
            switch question {
            case "": continue
            case "/quit", "/exit", "/bye": return
            case "/reset":
                conversation.reset()
                note("The conversation is forgotten.")
            case "/help", "/?": note("\(ChatSession.help).")
            case _ where question.hasPrefix("/"):
                note("There is no command '\(question)'. \(ChatSession.help).")
            default:
                conversation.ask(question)
                conversation.conclude(try await converse(conversation, running))
            }
        }
        try write("\n")
        withExtendedLifetime(interruption) {}
    }

    /// Answers within a conversation, where errors are told and the conversation goes on.
    ///
    /// - Returns: the answer, as far as it came; empty for none.
    private func converse(
        _ conversation: ChatConversation, _ running: ChatRunning
    ) async throws -> String {
        let came = Mutex("")
        let task = Task {
            try await print(conversation) { text in came.withLock { $0 += text } }
        }
        running.begin(task)
        defer { running.end() }
        do {
            let answer = try await task.value
            if !isJSON { try write("\n") }
            try tell(answer)
            return answer.text
        } catch is CancellationError {
            note("\nStopped.")
        } catch {
            let lines = ExitCodes.message(of: error).map { "martlet: \($0)" }
            note("\n" + lines.joined(separator: "\n"))
        }
        return came.withLock { $0 }
    }

    private func nextLine() -> String? {
        try? write(ChatSession.sign)
        return readLine()
    }

    // MARK: Printing

    private func print(
        _ conversation: ChatConversation, _ body: (String) -> Void = { _ in }
    ) async throws -> ChatAnswer {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let answer = try await client.answer(try conversation.request(wishes)) { text in
            body(text)
            if !isJSON { try write(isTerminal ? text.withoutTerminalControls : text) }
        }
        if isJSON {
            try FileHandle.standardOutput.write(contentsOf: answer.json(model: wishes.model))
        }
        return answer
    }

    private func tell(_ answer: ChatAnswer) throws {
        if answer.finishReason == "length" {
            note("martlet: The answer ends at the limit of its tokens")
        }
        if showsStatistics, !isJSON { note(answer.statistics) }
    }

    private func note(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }

    private func write(_ text: String) throws {
        try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
}

/// The answer that is being made, for whoever interrupts it.
private final class ChatRunning: Sendable {
    private let task = Mutex<Task<ChatAnswer, any Error>?>(nil)

    func begin(_ task: Task<ChatAnswer, any Error>) {
        self.task.withLock { $0 = task }
    }

    func end() {
        task.withLock { $0 = nil }
    }

    /// Stops the answer; without one, ends the process.
    func interrupt() {
        guard let task = task.withLock({ $0 }) else { Interruption.end("") }
        task.cancel()
    }
}
