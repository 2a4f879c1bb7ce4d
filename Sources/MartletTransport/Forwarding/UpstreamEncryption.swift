import NIOCore
import NIOSSL

/// How upstreams are spoken to by TLS.
public struct UpstreamEncryption: Sendable {
    let http1: NIOSSLContext
    /// Offers both versions: who speaks HTTP/1.1 alone then says so, where another offer would end
    /// the handshake, or begin with what is no HTTP/1.1.
    let http2: NIOSSLContext
    /// The name that upstreams' certificates are for; `nil` for the host's.
    let serverName: String?

    /// Reads certificates and keys.
    ///
    /// - Parameters:
    ///   - tls: what is trusted and shown.
    ///   - serverName: the name that upstreams' certificates are for; `nil` for the host's.
    /// - Throws: `ServingError` that names the file and what is wrong with it.
    public init(_ tls: ClientTLS, serverName: String?) throws {
        http1 = try tls.load(applicationProtocols: ["http/1.1"])
        http2 = try tls.load(applicationProtocols: ["h2", "http/1.1"])
        self.serverName = serverName
    }

    /// Encrypts a new connection.
    func configure(_ channel: any Channel, to address: UpstreamAddress, isHTTP2: Bool) throws {
        let handler = try ControlClient.encryption(
            isHTTP2 ? http2 : http1, host: serverName ?? address.host)
        try channel.pipeline.syncOperations.addHandler(handler)
    }
}
