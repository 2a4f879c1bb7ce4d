/// What a request is about, filled in as far as it is understood; metrics and the access log name
/// it.
struct RequestSubject: Sendable {
    /// The name of the operation, such as `predict`; empty when the request was not understood.
    var operation = ""

    /// Whether it runs a model: only such requests are load.
    var isPrediction = false

    /// Whether it only asks how the node is.
    var isHealthCheck: Bool { ["live", "ready", "health"].contains(operation) }

    /// The model that the request names.
    var model: String?

    /// The version that the request names, which there may not be.
    var requestedVersion = VersionChoice.latest

    /// The version that answered.
    var version: Int64?

    /// The signature that was asked for and found.
    var signature: String?

    /// Its place among others.
    var standing = TaskStanding()
}

extension RequestSubject {
    init(operation: String) { self.operation = operation }
}
