import Logging
import MartletCore
import NIOCore
import NIOHTTP2

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

/// Sets up the stock HTTP/2 stack, with a channel for each stream.
struct HTTP2Multiplexing {
    let limits: Limits
    let lifetime: ConnectionLifetime

    func configure(
        _ channel: any Channel, addHandlers: @escaping @Sendable (any Channel) throws -> Void
    ) throws {
        let wire = HTTP2WireHandler()
        let connection = HTTP2ConnectionHandler(limits: limits, lifetime: lifetime, wire: wire)
        let bound = NIOLoopBound(connection, eventLoop: channel.eventLoop)
        let library = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop,
            connectionConfiguration: HTTP2Tuning.server(limits),
            streamConfiguration: HTTP2Tuning.stream,
            streamDelegate: connection.delegate(on: channel.eventLoop)
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                let id = try stream.syncOptions?.getOption(HTTP2StreamChannelOptions.streamID)
                if let id, bound.value.admit(id) {
                    try addHandlers(stream)
                } else {
                    try stream.pipeline.syncOperations.addHandler(RefusedStreamHandler())
                }
            }
        }
        try channel.pipeline.syncOperations.addHandlers([wire, library, connection])
    }
}

/// HTTP/2 settings of servers and clients.
enum HTTP2Tuning {
    /// A tensor of an image fits, so that one request needs no round trip for flow control.
    static let windowBytes = 1 << 20

    static func server(_ limits: Limits) -> NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: limits.concurrentStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: limits.headerBytes),
            HTTP2Setting(parameter: .initialWindowSize, value: windowBytes),
        ]
        configuration.targetWindowSize = windowBytes
        return configuration
    }

    static var client: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .enablePush, value: 0),
            HTTP2Setting(parameter: .initialWindowSize, value: windowBytes),
        ]
        configuration.targetWindowSize = windowBytes
        return configuration
    }

    static var stream: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = windowBytes
        configuration.outboundBufferSizeHighWatermark = 256 * 1024
        configuration.outboundBufferSizeLowWatermark = 64 * 1024
        return configuration
    }
}

/// Ends connections in a responder.
struct ResponderHandlers: ConnectionHandlers {
    let responder: any RequestResponder
    let limits: Limits
    let protocols: ListenerOptions.Protocols

    func addHTTP1Handlers(to channel: any Channel, deadline: ConnectionDeadline) throws {
        // From here on the connection's own clock runs, which goes on where this one ends.
        let since = deadline.deadline.map { $0 - TimeAmount(limits.headerTimeout) }
        let operations = channel.pipeline.syncOperations
        operations.removeHandler(deadline, promise: nil)
        try operations.addHandler(
            HTTP1ServerHandler(
                responder: responder, limits: limits, eventLoop: channel.eventLoop, since: since))
    }

    func addHTTP2Handlers(to channel: any Channel, lifetime: ConnectionLifetime) throws {
        try channel.pipeline.syncOperations.addHandler(
            HTTP2ServerHandler(
                responder: responder, limits: limits, protocols: protocols, lifetime: lifetime,
                eventLoop: channel.eventLoop))
    }
}
