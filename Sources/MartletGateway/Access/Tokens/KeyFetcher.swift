internal import Foundation
import MartletCore
import MartletTransport

/// Fetches the keys of issuers by HTTPS.
struct KeyFetcher: Sendable {
    /// Longest time that a fetch takes.
    static let timeout = Duration.seconds(5)

    let eventLoops: EventLoops

    /// What is at a URL.
    ///
    /// - Parameters:
    ///   - url: where the keys are.
    ///   - authorityFile: authorities of which one vouches for the URL's host, read anew; `nil`
    ///     for those that the system trusts.
    /// - Returns: the body, as text.
    /// - Throws: `ServingError`.
    func text(at url: String, authorityFile: String?) async throws -> String {
        guard let parts = URLComponents(string: url), let host = parts.host else {
            throw ServingError.invalidArgument("'\(url)' is no URL")
        }
        let tls = ClientTLS(authorities: authorityFile.map { .file($0) })
        let client = try ControlClient(eventLoops: eventLoops, tls: tls)
        let path = parts.percentEncodedPath + (parts.percentEncodedQuery.map { "?" + $0 } ?? "")
        let answer = try await client.get(
            host: host, port: parts.port ?? 443, path: path.isEmpty ? "/" : path,
            timeout: KeyFetcher.timeout, maximumBytes: TokenKeys.Bounds.bytes)
        guard answer.status == 200 else {
            throw ServingError(.unavailable, "\(url) answers with status \(answer.status)")
        }
        return String(decoding: answer.body, as: UTF8.self)
    }
}
