internal import Foundation
import MartletCore
import MartletTelemetry
import MartletTransport

/// What one active check of an endpoint told.
struct HealthCheckOutcome {
    /// Whether all models of the endpoint answer.
    let isReady: Bool

    /// Whether it lives and serves, though not all of its models.
    let isDegraded: Bool

    /// How loaded it says it is; `nil` when it did not say.
    let load: LoadSample?

    /// What it says of what its language models keep.
    let memory: EndpointMemory

    /// What it serves; `nil` when that could not be learnt.
    let models: [ModelStatus]?

    /// Names in its list of language models, those of adapters among them.
    let listed: Set<String>

    /// The models of the adapters in that list.
    let parents: [String: String]

    /// Whether the endpoint answered at all.
    let hasAnswered: Bool

    /// The outcome of a check that got no answer.
    static let unreachable = HealthCheckOutcome(
        isReady: false, isDegraded: false, load: nil, models: nil, hasAnswered: false)

    /// The outcome of a check that found an endpoint well, and could not learn more.
    static let well = HealthCheckOutcome(
        isReady: true, isDegraded: false, load: nil, models: nil)

    /// The outcome of a check that was answered by a refusal.
    static let unwell = HealthCheckOutcome(
        isReady: false, isDegraded: false, load: nil, models: nil)

    /// Reads what a node answered.
    ///
    /// - Parameters:
    ///   - readiness: the answer that tells whether it is ready.
    ///   - listing: its list of models; `nil` where it was not asked for it.
    init(readiness: HTTPResponse, listing: HTTPResponse?) {
        hasAnswered = true
        isReady = readiness.status == 200
        let listing = listing.flatMap { NodeListing.read($0.body) }
        models = listing?.statuses
        listed = Set(listing?.data.map(\.id) ?? [])
        parents = (listing?.data ?? []).reduce(into: [:]) { $0[$1.id] = $1.parent }
        let isDraining = NodeReadiness.isDraining(readiness.body)
        let servesSomething =
            models?.contains { $0.versions.contains { $0.state == "AVAILABLE" } } ?? false
        isDegraded = !isReady && !isDraining && servesSomething
        let report = readiness.headers.first(LoadReport.headerName)
            .flatMap { try? LoadReport(headerValue: $0) }
        load = report.map { LoadSample($0) }
        memory = report.map { EndpointMemory($0) } ?? EndpointMemory()
    }

    init(
        isReady: Bool, isDegraded: Bool, load: LoadSample?, models: [ModelStatus]?,
        listed: Set<String> = [], parents: [String: String] = [:], hasAnswered: Bool = true,
        memory: EndpointMemory = EndpointMemory()
    ) {
        self.memory = memory
        self.listed = listed
        self.parents = parents
        self.hasAnswered = hasAnswered
        self.isReady = isReady
        self.isDegraded = isDegraded
        self.load = load
        self.models = models
    }
}

/// The body of a node's `/healthz/ready`.
private struct NodeReadiness: Decodable {
    let status: String

    static func isDraining(_ body: [UInt8]) -> Bool {
        let readiness = try? JSONDecoder().decode(NodeReadiness.self, from: Data(body))
        return readiness?.status == "draining"
    }
}

/// The body of a node's `/v1/models`.
private struct NodeListing: Decodable {
    struct Model: Decodable {
        struct Version: Decodable {
            struct Status: Decodable {
                let error_code: String
                let error_message: String
            }

            let version: String
            let state: String
            let status: Status
        }

        /// Numbers as texts, as the versions are; no other form is understood, and none is no
        /// mistake.
        struct Labels: Decodable {
            let versions: [String: Int64]?

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                let texts = try? container.decode([String: String].self)
                let numbers = texts?.compactMapValues { Int64($0) }
                versions = numbers?.count == texts?.count ? numbers : nil
            }
        }

        let name: String
        let model_version_status: [Version]
        let version_labels: Labels?
    }

    /// A model, or an adapter, as OpenAI's API lists it.
    struct Listed: Decodable {
        let id: String
        /// The model of an adapter.
        let parent: String?

        private enum CodingKeys: String, CodingKey {
            case id, parent
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            id = try members.decode(String.self, forKey: .id)
            // Other servers may mean something else by it.
            parent = try? members.decode(String.self, forKey: .parent)
        }
    }

    let models: [Model]
    let data: [Listed]

    private enum CodingKeys: String, CodingKey {
        case models, data
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        models = try members.decode([Model].self, forKey: .models)
        // Nodes without language models need not have it.
        data = (try? members.decode([Listed].self, forKey: .data)) ?? []
    }

    static func read(_ body: [UInt8]) -> NodeListing? {
        try? JSONDecoder().decode(NodeListing.self, from: Data(body))
    }

    var statuses: [ModelStatus] {
        models.map { model in
            ModelStatus(
                name: model.name,
                versions: model.model_version_status.map {
                    ModelVersionStatus(
                        version: $0.version, state: $0.state, errorCode: $0.status.error_code,
                        errorMessage: $0.status.error_message)
                }, labels: model.version_labels?.versions)
        }
    }
}
