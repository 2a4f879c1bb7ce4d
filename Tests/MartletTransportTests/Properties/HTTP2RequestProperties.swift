import NIOCore

@testable import MartletTransport

/// What holds for any bytes that a client sends to the server's side of HTTP/2.
enum HTTP2RequestProperties {
    static func check(_ bytes: [UInt8]) throws(BrokenProperty) {
        for limits in [HTTP2Limits(), .tight] {
            let whole = try read([bytes[...]], limits: limits)
            for pieces in Cuts.some(of: bytes) {
                let cut = try read(pieces, limits: limits)
                try BrokenProperty.unless(
                    cut == whole, "In pieces the bytes are read as \(cut), as a whole as \(whole)")
            }
        }
        try HTTP2AnyApplication.check(bytes)
    }

    static func read(
        _ pieces: [ArraySlice<UInt8>], limits: HTTP2Limits = HTTP2Limits()
    ) throws(BrokenProperty) -> HTTP2RequestReading {
        var reading = try HTTP2RequestReading(limits: limits)
        for piece in pieces { try reading.receive(ByteBuffer(bytes: piece)) }
        return reading
    }
}

extension HTTP2Limits {
    /// Bounds that short exchanges reach.
    ///
    /// The windows are left as they are: how far they are opened at once depends on the cuts.
    static var tight: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.concurrentStreams = 2
        limits.headerBlockBytes = 256
        limits.continuations = 2
        limits.settings = 4
        limits.frameBytes = HTTP2Protocol.frameBytesMin
        let few = FloodMeter.Allowance(burst: 4, perSecond: 0)
        limits.floods = FloodMeter.Allowances(
            resets: few, controls: few, emptyData: few, dribbles: few, streamErrors: few)
        return limits
    }
}
