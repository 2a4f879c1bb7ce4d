import Foundation

/// What was said so far, as OpenAI's API takes it.
struct ChatConversation: Sendable, Equatable {
    /// One turn.
    struct Message: Sendable, Equatable, Encodable {
        let role: String
        let content: String
    }

    /// How answers are to be made; what is `nil` is left to the server.
    struct Wishes: Sendable, Equatable {
        var model: String
        var tokensMax: Int?
        var temperature: Double?
        var seed: Int?
    }

    private(set) var messages: [Message] = []
    private let system: String?

    /// Begins a conversation.
    ///
    /// - Parameter system: what the model is told before all else.
    init(system: String?) {
        self.system = system
        reset()
    }

    /// Forgets everything but what the model is told before all else.
    mutating func reset() {
        messages = system.map { [Message(role: "system", content: $0)] } ?? []
    }

    /// Adds a question.
    mutating func ask(_ question: String) {
        messages.append(Message(role: "user", content: question))
    }

    /// Adds the answer, or takes the question back where there is none.
    mutating func conclude(_ answer: String) {
        if !answer.isEmpty {
            messages.append(Message(role: "assistant", content: answer))
        } else if messages.last?.role == "user" {
            messages.removeLast()
        }
    }

    /// The body of a request for the next answer, which is to be streamed.
    func request(_ wishes: Wishes) throws -> [UInt8] {
        struct Body: Encodable {
            let model: String
            let messages: [Message]
            let stream = true
            let streamOptions = ["include_usage": true]
            let maxCompletionTokens: Int?
            let temperature: Double?
            let seed: Int?
        }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try [UInt8](
            encoder.encode(
                Body(
                    model: wishes.model, messages: messages,
                    maxCompletionTokens: wishes.tokensMax, temperature: wishes.temperature,
                    seed: wishes.seed)))
    }
}
