import NIOCore

/// A handler that carries bytes between a channel and the core of an HTTP/2 connection.
protocol HTTP2Endpoint: ChannelInboundHandler where OutboundOut == ByteBuffer {
    /// The core.
    var connection: HTTP2Connection { get set }

    /// Whether ``writeOutput(to:)`` is under way; for its own use.
    var isFlushing: Bool { get set }

    /// Takes what the core has to tell.
    func takeEvents()
}

extension HTTP2Endpoint {
    /// Writes what the core has put out, and what there is room for then.
    func writeOutput(to context: ChannelHandlerContext) {
        guard !isFlushing else { return }
        isFlushing = true
        var isWritten = false
        while let output = connection.takeOutput() {
            context.write(wrapOutboundOut(output), promise: nil)
            isWritten = true
            if connection.hasMoreOutput { connection.setWritable(true) }
            // Before the socket has been tried, nobody knows that it takes no more.
            if !connection.hasOutput {
                context.flush()
                isWritten = false
                takeEvents()
            }
        }
        if isWritten { context.flush() }
        isFlushing = false
    }
}
