public import MartletCore

/// The head of a request, as policies look at it.
public struct ForwardedRequest: Sendable {
    /// Which protocol it came by.
    public let api: RequestAPI

    /// The method, such as `POST`.
    public let method: String

    /// The path without the query, as received.
    public let path: String

    /// The host that it is for, as received; empty where it names none.
    public var authority: String { namedAuthority ?? fields.first("host") ?? "" }

    private let namedAuthority: String?

    /// The header fields.
    public let fields: HeaderFields

    /// What the client's certificate is for: its subject alternative names, where TLS has verified
    /// it.
    public let clientNames: [ClientName]

    /// What surrounds it.
    public let context: RequestContext

    /// Creates the head of a request.
    public init(
        api: RequestAPI, method: String, path: String, authority: String? = nil,
        fields: HeaderFields = [:], clientNames: [ClientName] = [], context: RequestContext
    ) {
        self.api = api
        self.method = method
        self.path = path
        namedAuthority = authority
        self.fields = fields
        self.clientNames = clientNames
        self.context = context
    }
}

extension ForwardedRequest {
    /// The same for a copy, which its client does not wait for.
    var ofCopy: ForwardedRequest {
        ForwardedRequest(
            api: api, method: method, path: path, authority: namedAuthority, fields: fields,
            clientNames: clientNames,
            context: RequestContext(
                remoteAddress: context.remoteAddress, start: context.start, cancellation: .never))
    }
}

/// A subject alternative name of a client's certificate (RFC 5280, section 4.2.1.6).
public enum ClientName: Sendable, Hashable {
    case uri(String)
    case dns(String)
    case email(String)
}

/// What is changed in a request and its response.
public struct ForwardingChanges: Sendable, Equatable {
    /// The path that the upstream gets; `nil` for that which came.
    public var path: String?

    /// Fields of the request.
    public var request = FieldChanges()

    /// Fields of the response.
    public var response = FieldChanges()

    /// The length of the request's content in bytes, where that is put in place of another; `nil`
    /// for the one that came.
    public var contentLength: Int?

    /// Changes nothing.
    public init() {}

    /// Whether nothing is changed.
    public var isEmpty: Bool {
        path == nil && request.isEmpty && response.isEmpty && contentLength == nil
    }
}

/// Which fields are taken away, and which are added behind the others.
public struct FieldChanges: Sendable, Equatable {
    /// Names, in lower case.
    public var removed: Set<String> = []

    /// Names and values.
    public var added: [Field] = []

    /// A field.
    public struct Field: Sendable, Equatable {
        /// The name, in lower case.
        public let name: String
        /// The value.
        public let value: String

        /// Creates a field.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Changes nothing.
    public init() {}

    /// Whether nothing is changed.
    public var isEmpty: Bool { removed.isEmpty && added.isEmpty }
}

/// Why a request is not forwarded, as its client is told.
public struct ForwardingRefusal: Error {
    /// What is wrong; its code decides the status.
    public let error: ServingError

    /// Fields of the answer, or metadata, that help the client to do better.
    public let fields: HeaderFields

    /// Creates a refusal.
    public init(_ error: ServingError, fields: HeaderFields = [:]) {
        self.error = error
        self.fields = fields
    }
}

/// What becomes of a request whose body was awaited.
public enum ForwardingDecision: Sendable {
    /// It is forwarded, as this plan says.
    case forward(ForwardingPlan)
    /// Its body is awaited once more, as this plan says, and decided by.
    case awaitBody(ForwardingPlan)
    /// It is answered by this, without an upstream.
    case answer(HTTPResponse)
    /// It is refused.
    case refuse(ForwardingRefusal)
}

/// How an answer is watched that is a stream of events.
public struct StreamTimes: Sendable, Equatable {
    /// Whether its head is held back until an event with data begins, so that another upstream may
    /// be asked until then.
    public var awaitsFirstEvent: Bool

    /// Longest time from one event with data to the next, after which the stream is ended; `nil`
    /// for any.
    public var betweenEvents: Duration?

    /// Watches as it is told.
    public init(awaitsFirstEvent: Bool, betweenEvents: Duration? = nil) {
        self.awaitsFirstEvent = awaitsFirstEvent
        self.betweenEvents = betweenEvents
    }
}

/// What a gateway may do with a request.
public struct ForwardingPlan: Sendable {
    /// Whether the request may run twice without harm, so that it can be sent again after it has
    /// been sent whole.
    public var isIdempotent: Bool

    /// Whether its answer is short enough in time to be held back until it is complete, so that an
    /// endpoint that dies half-way costs the client nothing.
    public var holdsResponse: Bool

    /// How long one attempt may take while there are others; `nil` for as long as the request may.
    public var attemptTimeout: Duration?

    /// After how long without an answer it is asked whether the request is sent to another upstream
    /// as well; `nil` for never.
    public var hedgingDelay: Duration?

    /// Longest time for the request as a whole; `nil` for what the gateway's limits say.
    public var timeout: Duration?

    /// Largest body of the request; `nil` for what the gateway's limits say.
    public var bodyBytesMax: Int?

    /// What is changed in the request and its response; `nil` for nothing.
    public var changes: ForwardingChanges?

    /// Up to how many bytes the body is waited for, to decide by it; `nil` for not at all.
    public var awaitedBodyBytes: Int?

    /// Whether the first message of a gRPC call is awaited in place of the whole body.
    public var awaitsFirstMessage = false

    /// Whether the request is kept, to ask in the end whether a copy is sent elsewhere.
    public var keepsRequest = false

    /// What is sent in place of the body that was awaited; `nil` for that itself.
    public var newBody: [UInt8]?

    /// Whether the policy is asked what is asked in place of a request that no upstream answers.
    public var mayFallBack = false

    /// How an answer is watched that is a stream of events; `nil` for not at all.
    public var streamTimes: StreamTimes?

    /// Up to how many bytes the answer is told of in the end; `nil` for not at all.
    public var keptAnswerBytes: Int?

    /// Looks at the answer while it passes; `nil` for nobody.
    public var observer: (any AnswerObserver)?

    /// Why the request is not forwarded at all; `nil` when it is.
    public var refusal: ForwardingRefusal?

    /// What the policy knows of the request, for itself.
    public var state: (any AnyObject & Sendable)?

    /// Creates a plan.
    public init(
        isIdempotent: Bool, holdsResponse: Bool, refusal: ForwardingRefusal? = nil,
        state: (any AnyObject & Sendable)? = nil
    ) {
        self.isIdempotent = isIdempotent
        self.holdsResponse = holdsResponse
        self.refusal = refusal
        self.state = state
    }
}
