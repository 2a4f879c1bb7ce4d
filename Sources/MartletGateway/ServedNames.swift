import MartletCore
import MartletTransport

/// Which endpoints lack what others serve, by the names that requests give: models, adapters, and
/// `MODEL:VERSION` of language models.
struct ServedNames: Sendable {
    /// What an endpoint tells of itself.
    struct Endpoint: Sendable {
        let models: [ModelStatus]
        /// Names in its list of language models: of models, and of adapters.
        let listed: Set<String>
        /// The models of those that are adapters.
        var parents: [String: String] = [:]
    }

    /// Names that are of no model.
    private(set) var adapters: Set<String> = []
    /// The models of each adapter, where endpoints tell.
    private(set) var parents: [String: Set<String>] = [:]
    /// Names that are of a model.
    private(set) var models: Set<String> = []
    private var lacking: [String: Set<EndpointID>] = [:]

    /// Whether all endpoints serve the same.
    var isEven: Bool { lacking.isEmpty }

    /// Nobody serves anything yet.
    init() {}

    /// What endpoints lack that tell of themselves; others may serve anything.
    init(_ endpoints: [EndpointID: Endpoint]) {
        let names = endpoints.mapValues(\.names)
        for name in names.values.reduce(into: Set<String>(), { $0.formUnion($1) }) {
            let without = names.filter { !$0.value.contains(name) }.keys
            if !without.isEmpty { lacking[name] = Set(without) }
        }
        adapters = endpoints.values.reduce(into: []) { $0.formUnion($1.listed) }
        for endpoint in endpoints.values {
            models.formUnion(endpoint.models.map(\.name))
            for (adapter, model) in endpoint.parents {
                parents[adapter, default: []].insert(model)
            }
        }
        adapters.subtract(models)
    }

    /// The endpoints that lack what a request names; nil where none does, or all do.
    ///
    /// A version that nobody tells of may be a label: then its model counts.
    func lacking(_ name: String) -> Set<EndpointID>? {
        if let found = lacking[name] { return found }
        guard let colon = name.lastIndex(of: ":") else { return nil }
        return lacking[String(name[..<colon])]
    }
}

extension ServedNames.Endpoint {
    /// All names by which it answers.
    fileprivate var names: Set<String> {
        var names = listed
        for model in models where model.isServed {
            names.insert(model.name)
            // Paths name the versions of other models, and nobody asks for them here.
            guard listed.contains(model.name) else { continue }
            for version in model.versions where version.state == "AVAILABLE" {
                names.insert("\(model.name):\(version.version)")
            }
        }
        return names
    }
}
