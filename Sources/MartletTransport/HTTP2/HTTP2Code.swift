/// Why a stream or a connection ends (RFC 9113, section 7).
enum HTTP2Code: UInt32, Sendable {
    case noError = 0x0
    case protocolError = 0x1
    case internalError = 0x2
    case flowControlError = 0x3
    case settingsTimeout = 0x4
    case streamClosed = 0x5
    case frameSizeError = 0x6
    case refusedStream = 0x7
    case cancel = 0x8
    case compressionError = 0x9
    case connectError = 0xA
    case enhanceYourCalm = 0xB
    case inadequateSecurity = 0xC
    case http11Required = 0xD
}

/// What a client did that its connection does not survive.
struct ConnectionFault: Error, Equatable {
    /// What GOAWAY says.
    let code: HTTP2Code

    /// Its debug data, for whoever looks into the client's log.
    let text: String

    /// What came too often, if that is it.
    let flood: HTTP2Flood?

    init(_ code: HTTP2Code, _ text: String) {
        self.code = code
        self.text = text
        flood = nil
    }

    init(_ flood: HTTP2Flood, _ text: String) {
        code = .enhanceYourCalm
        self.text = text
        self.flood = flood
    }
}
