import MartletCore
import NIOCore

/// The client's side of an exchange.
///
/// Bound to the client connection's event loop.
protocol ExchangeClient<Wire>: AnyObject {
    associatedtype Wire: ForwardingWire

    /// Passes part of a response to the client; it leaves with the next ``flush()``.
    func send(_ part: ResponsePart<Wire>)

    /// Lets go what was sent.
    func flush()

    /// Answers with an error of the gateway's own.
    func sendError(_ error: ServingError, fields: HeaderFields)

    /// Answers without an upstream.
    func sendAnswer(_ answer: HTTPResponse)

    /// The exchange has another plan.
    func didDecide()

    /// An attempt has begun that has a time of its own.
    func didBegin()

    /// Breaks a response off that has been begun.
    func abort()

    /// Reads more of the request, or pauses.
    func setReading(_ isReading: Bool)

    /// An answer that was held back was given, of which much may wait for the client: `memory` is
    /// let go when it has left, or the client has.
    func keepUntilSent(_ memory: KeptMemory)

    /// The response is complete. `requestEnded` tells whether the request was read whole.
    func didFinish(requestEnded: Bool)
}

extension ExchangeClient {
    /// Nothing waits for whoever takes all at once.
    func keepUntilSent(_ memory: KeptMemory) {}
}

/// The upstream's side of an attempt.
///
/// Bound to the same event loop.
protocol UpstreamExchange<Wire>: AnyObject {
    associatedtype Wire: ForwardingWire

    /// Whether it takes more of the request without buffering.
    var isWritable: Bool { get }

    /// Passes part of the request to the upstream; it leaves with the next ``flush()``.
    func send(_ part: RequestPart<Wire>)

    /// Lets go what was sent.
    func flush()

    /// Ends the attempt without its response.
    func cancel()

    /// Reads more of the response, or pauses.
    func setReading(_ isReading: Bool)

    /// The response is complete; `isReusable` when the connection can serve another request.
    func didFinish(isReusable: Bool)
}

/// Opens attempts at upstreams.
protocol UpstreamConnector<Wire> {
    associatedtype Wire: ForwardingWire

    /// Opens an attempt on `eventLoop`; reports to the exchange by ``Exchange/opened(_:attempt:)``
    /// or ``Exchange/failed(_:attempt:)``.
    func open(_ address: UpstreamAddress, for exchange: Exchange<Wire>, attempt: Int)
}
