public import MartletCore
public import MartletTelemetry

/// Answers whole requests.
///
/// Called on event loops: implementations return at once and send their answer later, from any
/// thread.
public protocol RequestResponder: Sendable {
    /// Answers an HTTP request.
    func respond(to request: HTTPRequest, reply: Reply<HTTPResponse>)

    /// Answers a unary gRPC call.
    func respond(to call: GRPCCall, reply: Reply<GRPCResponse>)

    /// Whether a method may be streaming: what is surely not is spared the preparations.
    func mayStream(path: String) -> Bool

    /// Begins a streaming gRPC call; `nil` for a method that is not streaming, whose call is then
    /// answered as a unary one.
    ///
    /// The responder ends its streams when the server drains: the transport cannot know which of
    /// them would end by themselves.
    func stream(
        for start: GRPCStreamStart, writer: GRPCStreamWriter
    ) -> (any GRPCStreamHandler)?

    /// How loaded the server is, for clients that ask to be told along with an answer; `nil` for a
    /// server that does not say.
    var loadReport: LoadReport? { get }

    /// Learns of a request that the transport refused by itself, such as one over a limit.
    func didRefuse(_ refusal: Refusal)

    /// Learns that a client's HTTP/2 connection was ended for a flood.
    func didEnd(_ flood: HTTP2Flood)
}

extension RequestResponder {
    /// Says nothing of its load.
    public var loadReport: LoadReport? { nil }

    /// Does nothing: for responders that count no floods.
    public func didEnd(_ flood: HTTP2Flood) {}

    /// Any method may be.
    public func mayStream(path: String) -> Bool { true }

    /// Streams no method.
    public func stream(
        for start: GRPCStreamStart, writer: GRPCStreamWriter
    ) -> (any GRPCStreamHandler)? { nil }
}

/// A request the transport answered by itself, with why.
public struct Refusal: Sendable {
    /// Which protocol it came by.
    public let api: RequestAPI

    /// The method, or empty when it was not even understood.
    public let method: String

    /// The path, or empty when it was not even understood.
    public let path: String

    /// The error sent to the client.
    public let error: ServingError

    /// The HTTP status sent, for REST.
    public let httpStatus: Int

    /// What surrounds the request.
    public let context: RequestContext
}
