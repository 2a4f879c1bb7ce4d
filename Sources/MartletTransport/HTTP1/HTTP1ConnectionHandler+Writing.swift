import NIOCore

/// Output, from the core to the socket.
extension HTTP1ConnectionHandler {
    /// Whether anything is to be written, or the end.
    final var hasOutput: Bool {
        connection.hasOutput || !large.isEmpty || connection.isClosing && !isEnding
    }

    /// Puts bytes behind those that wait, and in front of the core's output.
    final func write(_ bytes: [ByteBuffer]) { large += bytes }

    /// Writes what is there to the socket.
    ///
    /// To write may be to learn that the client takes more, or no more, and so to be called again:
    /// what then comes stands behind what is being written.
    final func flush() {
        guard !isFlushing else { return }
        isFlushing = true
        while let context {
            let first = large
            large = []
            let output = connection.takeOutput()
            for bytes in first { context.write(wrapOutboundOut(bytes), promise: nil) }
            end(with: output, context)
            guard hasOutput else { break }
        }
        isFlushing = false
        guard owesWork else { return }
        owesWork = false
        context?.eventLoop.assumeIsolated().execute { self.work {} }
    }

    /// Writes the last of what is there, and closes where that is due.
    private func end(with output: ByteBuffer?, _ context: ChannelHandlerContext) {
        guard connection.isClosing, !isEnding else {
            if let output {
                context.writeAndFlush(wrapOutboundOut(output), promise: nil)
            } else {
                context.flush()
            }
            return
        }
        isEnding = true
        let channel = context.channel
        // Closing on a client that still sends would reset the connection before it has read.
        let isToLinger = connection.mayBeSending
        context.writeAndFlush(wrapOutboundOut(output ?? ByteBuffer())).whenComplete { _ in
            if isToLinger { channel.linger() } else { channel.close(promise: nil) }
        }
    }
}
