internal import FoundationEssentials

/// What a gateway's admin listener answers at `/v1/endpoints`.
public struct EndpointsStatus: Codable, Sendable, Equatable {
    /// The path of this answer on the admin listener.
    public static let path = "/v1/endpoints"

    /// The endpoints, in the order of their addresses.
    public var endpoints: [EndpointStatus]

    /// Creates an answer.
    public init(endpoints: [EndpointStatus]) {
        self.endpoints = endpoints
    }

    /// Reads an answer.
    public init(json: [UInt8]) throws {
        self = try JSONDecoder().decode(EndpointsStatus.self, from: Data(json))
    }

    /// The answer as JSON, on one line.
    public func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try [UInt8](encoder.encode(self))
    }
}

/// One endpoint as the gateway sees it.
public struct EndpointStatus: Codable, Sendable, Equatable {
    /// Where it listens, `host:port`.
    public var address: String
    /// Whether its checks succeed; it is used then, unless it is ejected.
    public var healthy: Bool
    /// Whether it lives and answers, though not for all of its models; used only when no endpoint
    /// is healthy.
    public var degraded: Bool
    /// Whether it is out of use for a while for how it answered requests.
    public var ejected: Bool
    /// Its share of the requests, relative to the others'.
    public var weight: Double
    /// Requests it is answering now.
    public var inFlight: Int
    /// Requests sent to it since the gateway started.
    public var requests: Int
    /// Those of them that failed.
    public var failures: Int
    /// What it serves, as far as the gateway knows.
    public var models: [ModelStatus]

    private enum CodingKeys: String, CodingKey {
        case address, healthy, degraded, ejected, weight, requests, failures, models
        case inFlight = "in_flight"
    }

    /// Creates the status of an endpoint.
    public init(
        address: String, healthy: Bool, degraded: Bool = false, ejected: Bool = false,
        weight: Double, inFlight: Int, requests: Int, failures: Int, models: [ModelStatus]
    ) {
        self.address = address
        self.healthy = healthy
        self.degraded = degraded
        self.ejected = ejected
        self.weight = weight
        self.inFlight = inFlight
        self.requests = requests
        self.failures = failures
        self.models = models
    }
}

/// One model of an endpoint.
public struct ModelStatus: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its versions.
    public var versions: [ModelVersionStatus]
    /// The versions that its labels mean; nil where the endpoint does not tell.
    public var labels: [String: Int64]?

    /// Creates the status of a model.
    public init(name: String, versions: [ModelVersionStatus], labels: [String: Int64]? = nil) {
        self.name = name
        self.versions = versions
        self.labels = labels
    }

    /// Whether requests for it may be answered: not while all there is of it loads or is gone.
    public var isServed: Bool {
        versions.isEmpty || versions.contains { !["LOADING", "END"].contains($0.state) }
    }
}

/// One version of a model, with the words of TensorFlow Serving's model status.
public struct ModelVersionStatus: Codable, Sendable, Equatable {
    /// Its number, as text.
    public var version: String
    /// `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
    public var state: String
    /// The name of a status code, `OK` when all is well.
    public var errorCode: String
    /// Why it is not, for people.
    public var errorMessage: String

    private enum CodingKeys: String, CodingKey {
        case version, state
        case errorCode = "error_code"
        case errorMessage = "error_message"
    }

    /// Creates the status of a version.
    public init(
        version: String, state: String, errorCode: String = "OK", errorMessage: String = ""
    ) {
        self.version = version
        self.state = state
        self.errorCode = errorCode
        self.errorMessage = errorMessage
    }
}
