import MartletCore
import MartletRepository
import MartletTransport

/// Asks web servers for files, over TLS or in the clear, and goes where they send it.
struct WebClient: Sendable {
    private static let redirectsMax = 10

    private let clear: ControlClient
    private let encrypted: ControlClient
    /// The longest wait for a connection, an answer or a piece of one.
    let timeout: Duration

    /// Creates a client.
    ///
    /// - Parameters:
    ///   - authorities: a file of those that sign certificates; those that the system trusts for
    ///     `nil`.
    ///   - timeout: the longest wait for a connection, an answer or a piece of one.
    /// - Throws: `ServingError` that names a file that cannot be used.
    init(authorities: String?, timeout: Duration) throws {
        let loops = EventLoops(count: 1)
        clear = ControlClient(eventLoops: loops)
        encrypted = try ControlClient(
            eventLoops: loops, tls: ClientTLS(authorities: authorities.map(PEMSource.file)))
        self.timeout = timeout
    }

    /// Asks for a file from a place on.
    ///
    /// - Parameters:
    ///   - url: the file.
    ///   - place: how many bytes are not wanted; a server may send them all the same, as status 200
    ///     then says.
    /// - Returns: an answer of status 200, or 206 where a part was asked for.
    /// - Throws: `ServingError`: `UNAVAILABLE` for what may be better soon.
    func open(_ url: ModelURL, from place: Int = 0) async throws -> ControlStream {
        var next = url
        for _ in 0...WebClient.redirectsMax {
            let answer = try await ask(next, from: place)
            switch answer.status {
            case 200,
                206 where place > 0:
                return answer
            case 301, 302, 303, 307, 308:
                guard let location = answer.headers.first("location") else {
                    throw WebClient.failure(next, answer.status)
                }
                next = try next.redirected(to: location)
            default: throw WebClient.failure(next, answer.status)
            }
        }
        throw ServingError(
            .failedPrecondition,
            "\(url) leads from one address to another, more than \(WebClient.redirectsMax) times")
    }

    /// A whole file.
    ///
    /// - Throws: `ServingError`, for one that is larger than `bytesMax` too.
    func content(of url: ModelURL, atMost bytesMax: Int) async throws -> [UInt8] {
        let bytes = try await open(url).rest(atMost: bytesMax + 1, within: timeout)
        guard bytes.count <= bytesMax else {
            throw ServingError.invalidArgument("\(url) has more than \(bytesMax) bytes")
        }
        return bytes
    }

    private func ask(_ url: ModelURL, from place: Int) async throws -> ControlStream {
        var headers: HeaderFields = [
            "host": url.authority, "user-agent": "martlet/\(martletVersion)", "accept": "*/*",
            // What is packed has other places and another size.
            "accept-encoding": "identity",
        ]
        if place > 0 { headers.add("range", "bytes=\(place)-") }
        return try await (url.isEncrypted ? encrypted : clear).open(
            ControlRequest(path: url.path, headers: headers), host: url.host, port: url.port,
            timeout: timeout)
    }

    private static func failure(_ url: ModelURL, _ status: Int) -> ServingError {
        let code: StatusCode =
            switch status {
            case 401, 403: .permissionDenied
            case 404, 410: .notFound
            case 408, 429, 500...: .unavailable
            case 416: .aborted
            default: .failedPrecondition
            }
        return ServingError(code, "\(url) answered \(status)")
    }
}
