import Logging
import MartletCore
import NIOCore

/// What stands at the end of a server connection's pipeline.
protocol ConnectionHandlers: Sendable {
    /// Adds all handlers of an HTTP/1 connection; its first head is due at the deadline's end.
    func addHTTP1Handlers(to channel: any Channel, deadline: ConnectionDeadline) throws

    /// Adds all handlers of an HTTP/2 connection.
    func addHTTP2Handlers(to channel: any Channel, lifetime: ConnectionLifetime) throws
}

/// Sets up server connections: limits, TLS, protocol detection, codecs, then the handlers.
struct ConnectionPipeline: Sendable {
    let limits: Limits
    let protocols: ListenerOptions.Protocols
    let lifetime: ConnectionLifetime
    let tls: ReloadingTLS?
    let handlers: any ConnectionHandlers
    let logger: Logger

    func configure(_ channel: any Channel) throws {
        let tls = tls?.current
        let deadline = ConnectionDeadline(limits: limits, handshakeTimeout: tls?.handshakeTimeout)
        let detector = ProtocolDetector(
            protocols: protocols, deadline: deadline, logger: logger
        ) { channel, isHTTP2 in
            try tls?.checkClient(of: channel, logger: logger)
            if isHTTP2 {
                // From here on HTTP/2's own connection management watches over idleness.
                channel.pipeline.syncOperations.removeHandler(deadline, promise: nil)
                try handlers.addHTTP2Handlers(to: channel, lifetime: lifetime)
            } else {
                try handlers.addHTTP1Handlers(to: channel, deadline: deadline)
            }
        }
        let operations = channel.pipeline.syncOperations
        try operations.addHandler(deadline)
        if let tls {
            try operations.addHandler(tls.makeHandler())
        }
        try operations.addHandler(detector)
    }
}

/// Ends connections in a responder.
struct ResponderHandlers: ConnectionHandlers {
    let responder: any RequestResponder
    let limits: SharedLimits
    let protocols: ListenerOptions.Protocols

    func addHTTP1Handlers(to channel: any Channel, deadline: ConnectionDeadline) throws {
        // From here on the connection's own clock runs, which goes on where this one ends.
        let since = deadline.deadline.map { $0 - TimeAmount(limits.values.headerTimeout) }
        let operations = channel.pipeline.syncOperations
        operations.removeHandler(deadline, promise: nil)
        try operations.addHandler(
            HTTP1ServerHandler(
                responder: responder, limits: limits, eventLoop: channel.eventLoop, since: since))
    }

    func addHTTP2Handlers(to channel: any Channel, lifetime: ConnectionLifetime) throws {
        try channel.pipeline.syncOperations.addHandler(
            HTTP2ServerHandler(
                responder: responder, limits: limits.values, protocols: protocols,
                lifetime: lifetime,
                eventLoop: channel.eventLoop))
    }
}
