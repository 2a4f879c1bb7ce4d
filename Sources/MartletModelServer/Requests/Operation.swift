import MartletCore
import MartletTransport

/// Which threads do the work of a request.
enum Lane {
    /// Those that run models, behind the bounded queue.
    case engine
    /// The one that answers while all the others are busy.
    case control
}

/// What a request asks for, once its path is understood.
struct Operation<Request: Sendable, Response: Sendable>: Sendable {
    /// The name metrics use, such as `predict`.
    let name: String
    /// Which threads do the work.
    let lane: Lane
    /// Whether answering may take long, or wait, however small the request is: then the thread that
    /// has read it never does, as that is an event loop's.
    var mayTakeLong = false
    /// The model the path names, if it names one.
    var model: String?
    /// The version the path names.
    var version = VersionChoice.latest
    /// What an error is answered by; `nil` for the usual form of the protocol.
    var failure: (@Sendable (ServingError) -> Response)?
    /// Answers on the calling thread, which may block.
    let respond: @Sendable (Request, inout RequestSubject) throws -> Answer<Response>

    init(
        name: String, lane: Lane, model: String? = nil, version: VersionChoice = .latest,
        respond: @escaping @Sendable (Request, inout RequestSubject) throws -> Answer<Response>
    ) {
        self.name = name
        self.lane = lane
        self.model = model
        self.version = version
        self.respond = respond
    }

    /// What is known of the request before it is read.
    var subject: RequestSubject {
        var subject = RequestSubject(operation: name)
        subject.isPrediction = lane == .engine
        subject.model = model
        subject.requestedVersion = version
        return subject
    }
}

/// A family of REST paths.
protocol RESTService: Sendable {
    /// What a request asks for; `nil` when the path is not of this family.
    ///
    /// - Throws: `ServingError` for a path of this family that is malformed.
    func operation(method: String, path: String) throws -> Operation<HTTPRequest, HTTPResponse>?
}

/// Some gRPC methods.
protocol GRPCService: Sendable {
    /// The methods by path, such as `/tensorflow.serving.PredictionService/Predict`.
    var operations: [String: Operation<GRPCCall, [UInt8]>] { get }
}
