import Foundation
import MartletBench
import MartletCore
import MartletTransport

/// Asks a node or gateway by OpenAI's API.
struct ChatClient: Sendable {
    private static let errorBytesMax = 64 << 10
    private static let listBytesMax = 16 << 20

    let address: ChatAddress
    /// The longest wait for a connection, the beginning of an answer, or more of it.
    let timeout: Duration
    private let client: ControlClient
    private let headers: HeaderFields

    /// Creates a client.
    ///
    /// - Parameters:
    ///   - address: whom to ask.
    ///   - key: shown to the server; `nil` for none.
    ///   - authorities: a file of those that sign certificates; those that the system trusts for
    ///     `nil`.
    ///   - timeout: the longest wait for a connection, or for more of an answer.
    /// - Throws: `ServingError` that names a file that cannot be used.
    init(
        _ address: ChatAddress, key: String?, authorities: String?, timeout: Duration
    ) throws {
        self.address = address
        self.timeout = timeout
        let tls = address.speaksTLS ? ClientTLS(authorities: authorities.map(PEMSource.file)) : nil
        client = try ControlClient(eventLoops: EventLoops(count: 1), tls: tls)
        var headers: HeaderFields = ["content-type": "application/json"]
        if let key, !key.isEmpty { headers.add("authorization", "Bearer \(key)") }
        self.headers = headers
    }

    /// The names of the language models that are served.
    ///
    /// - Throws: `ServingError`.
    func models() async throws -> [String] {
        struct List: Decodable {
            struct Model: Decodable { var id: String }
            var data: [Model]
        }
        let answer = try await send(ControlRequest(path: "/v1/models", headers: headers))
        let body = try await answer.rest(atMost: ChatClient.listBytesMax, within: timeout)
        guard let list = try? JSONDecoder().decode(List.self, from: Data(body)) else {
            throw ServingError(
                .unavailable,
                "\(address) lists no models as OpenAI's API does; name one with --model")
        }
        return list.data.map(\.id)
    }

    /// Asks for an answer, and tells of it as it comes.
    ///
    /// - Parameters:
    ///   - body: the request.
    ///   - show: is given each piece of text.
    /// - Returns: all of it.
    /// - Throws: `ServingError`; `CancellationError` once the task is cancelled.
    func answer(
        _ body: [UInt8], show: (String) throws -> Void
    ) async throws -> ChatAnswer {
        let clock = ContinuousClock()
        let start = clock.now
        let stream = try await send(
            ControlRequest(
                method: "POST", path: "/v1/chat/completions", headers: headers, body: body))
        var events = ServerSentEvents()
        var answer = ChatAnswer()
        while !answer.isComplete, let piece = try await stream.next(within: timeout) {
            for event in events.receive(piece) {
                let added = try answer.take(event, now: clock.now - start)
                if !added.isEmpty { try show(added) }
            }
            guard !events.isTooLong else {
                throw ServingError(.unavailable, "\(address) sent an event that is too long")
            }
        }
        guard answer.isComplete else {
            throw ServingError(
                .unavailable, "\(address) did not answer by events of OpenAI's API to the end")
        }
        return answer
    }

    private func send(_ request: ControlRequest) async throws -> ControlStream {
        let answer: ControlStream
        do {
            answer = try await client.open(
                request, host: address.network.host, port: address.network.port, timeout: timeout)
        } catch let error as ServingError {
            throw ServingError(
                error.code,
                "No answer from \(address): \(error.message). Start a node with 'martlet serve', "
                    + "or name a node or gateway with --url", cause: error.cause)
        }
        guard answer.status != 200 else { return answer }
        let body = try? await answer.rest(atMost: ChatClient.errorBytesMax, within: timeout)
        throw ChatClient.failure(answer.status, body ?? [], address)
    }

    /// What a status and a body say went wrong.
    static func failure(_ status: Int, _ body: [UInt8], _ address: ChatAddress) -> ServingError {
        let code: StatusCode =
            switch status {
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404: .notFound
            case 502, 503, 504: .unavailable
            default: .failedPrecondition
            }
        let hint = status == 401 ? " (--key-file)" : ""
        guard let message = message(of: body) else {
            return ServingError(
                code, "\(address) answered \(status); does it speak OpenAI's API?\(hint)")
        }
        return ServingError(code, message.withoutTerminalControls + hint)
    }

    /// The message of an error in OpenAI's form, or in that of the other APIs.
    private static func message(of body: [UInt8]) -> String? {
        struct Detailed: Decodable {
            struct Detail: Decodable { var message: String }
            var error: Detail
        }
        struct Plain: Decodable { var error: String }
        let decoder = JSONDecoder()
        let data = Data(body)
        return (try? decoder.decode(Detailed.self, from: data))?.error.message
            ?? (try? decoder.decode(Plain.self, from: data))?.error
    }
}
