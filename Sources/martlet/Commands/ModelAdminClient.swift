import Foundation
import MartletCore
import MartletTensors
import MartletTransport

/// Asks the admin API of a node.
struct ModelAdminClient {
    let address: NetworkAddress
    let timeout: Duration
    /// Shown to the node; `nil` for none.
    let key: String?
    /// How the node is known; `nil` to speak in the clear.
    var tls: ClientTLS?

    /// Sends a request.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - path: the parts of the path behind the list of models.
    ///   - body: the body.
    /// - Returns: the body of the answer.
    /// - Throws: `ServingError` with the node's words when it refuses, `UNAVAILABLE` when it does
    ///   not answer.
    func send(_ method: String, _ path: [String], body: [UInt8] = []) async throws -> [UInt8] {
        let parts = ["/admin/v1/models"] + path.map(ModelAdminClient.encoded)
        let request = ControlRequest(
            method: method, path: parts.joined(separator: "/"),
            headers: key.map { ["x-api-key": $0] } ?? [:], body: body)
        let client = try ControlClient(eventLoops: EventLoops(count: 1), tls: tls)
        let response: HTTPResponse
        do {
            response = try await client.send(
                request, host: address.host, port: address.port, timeout: timeout)
        } catch let error as ServingError {
            throw ServingError(
                error.code,
                "No answer from a node at \(address): \(error.message). \(hint)")
        }
        guard response.status == 200 else { throw failure(response) }
        return response.body
    }

    private var hint: String {
        tls == nil
            ? "Start one with 'martlet serve', or name its address with --address, and https:// "
                + "before it if it speaks TLS"
            : "Name the authority that signed its certificate with --cacert, and what you show to "
                + "a node that asks who you are with --cert and --key"
    }

    /// Reads an answer.
    func decode<Answer>(_ read: () throws -> Answer) throws -> Answer {
        do {
            return try read()
        } catch {
            throw ServingError(
                .unavailable, "\(address) did not answer as a node does; is it one?")
        }
    }

    private func failure(_ response: HTTPResponse) -> ServingError {
        let code: StatusCode =
            switch response.status {
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404: .notFound
            case 502, 503, 504: .unavailable
            default: .failedPrecondition
            }
        let hint = response.status == 401 ? " (--api-key-file)" : ""
        guard case .object(let members)? = try? JSONValue(parsing: response.body, limits: Limits()),
            case .text(let message)? = members.first(where: { $0.name == "error" })?.value
        else {
            return ServingError(code, "\(address) answered \(response.status); is it a node?")
        }
        return ServingError(code, message + hint)
    }

    private static func encoded(_ name: String) -> String {
        // Only what is unreserved stays (RFC 3986), so that a name cannot be a path.
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return name.addingPercentEncoding(withAllowedCharacters: unreserved) ?? name
    }

    /// The first key of a list as `martlet serve --api-key-file` takes it.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the file.
    static func firstKey(in file: String) throws -> String {
        guard let text = try? String(contentsOf: URL(fileURLWithPath: file), encoding: .utf8) else {
            throw ServingError.invalidArgument("'\(file)' (--api-key-file) cannot be read")
        }
        let lines = text.split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }
        guard let line = lines.first(where: { !$0.isEmpty && !$0.hasPrefix("#") }),
            let key = line.split(separator: ":", maxSplits: 1).last
        else {
            throw ServingError.invalidArgument("'\(file)' (--api-key-file) holds no key")
        }
        return key.trimmingCharacters(in: .whitespaces)
    }
}
