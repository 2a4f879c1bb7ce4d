/// Header fields, as far as routes look at them.
protocol RouteFields {
    /// The first value under `name`, upper and lower case alike.
    func first(_ name: String) -> String?
}

/// The head of a request, as far as routes look at it.
struct RouteQuery: Sendable {
    /// What is known of the model.
    enum Model: Sendable, Equatable {
        /// It is this one.
        case named(String)
        /// It is what this name of OpenAI's API means.
        case asked(AskedModel)
        /// The body will say.
        case notYetKnown
        /// The request names none.
        case none
    }

    /// The canonical host.
    var host: String
    var method: String
    var path: RequestPath
    var model: Model

    /// A request whose authority is as it came.
    init(authority: String, method: String, path: RequestPath, model: Model) {
        host = HostName.canonical(authority)
        self.method = method
        self.path = path
        self.model = model
    }

    /// A request of which only the head has come.
    init(authority: String, method: String, path: RequestPath, naming: ModelNaming) {
        let model: Model =
            switch naming {
            case .path(let target): .named(target.model)
            case .body, .message: .notYetKnown
            case .nowhere: .none
            }
        self.init(authority: authority, method: method, path: path, model: model)
    }
}

/// Finds the route of a request: the first, in the order of the file, all of whose rules it keeps.
///
/// The routes that a host can reach are listed beforehand for each host that is named; all others
/// share one list. Looking at a route then costs nothing that the host has already decided.
struct RouteTable: Sendable {
    /// What was found.
    enum Decision: Sendable, Equatable {
        /// The route with this index.
        case route(Int)
        /// Some route asks for a model, and the body has to say which it is.
        case needsModel
        /// No route is for this request.
        case none
    }

    /// The routes, in the order of the file.
    let routes: [TrafficPolicy.Route]

    private let rules: [RouteRules]
    private let reachable: [String: [Int]]
    private let reachableByOthers: [Int]

    /// Makes routes ready to be looked up.
    init(_ routes: [TrafficPolicy.Route]) {
        self.routes = routes
        let rules = routes.map { RouteRules($0.match) }
        var reachable: [String: [Int]] = [:]
        for case .exact(let host) in rules.flatMap(\.hosts) {
            guard reachable[host] == nil else { continue }
            reachable[host] = rules.indices.filter { rules[$0].matches(host: host) }
        }
        self.rules = rules
        self.reachable = reachable
        // Those that name exact hosts only are found by them, or not at all.
        reachableByOthers = rules.indices.filter { !rules[$0].hasExactHostsOnly }
    }

    /// Finds the route of a request.
    func decide(_ query: RouteQuery, fields: some RouteFields) -> Decision {
        let known = reachable.isEmpty ? nil : reachable[query.host]
        for index in known ?? reachableByOthers {
            let rules = rules[index]
            guard known != nil || rules.matches(host: query.host),
                rules.matchesHead(query, fields)
            else { continue }
            switch rules.matches(query.model) {
            case true?: return .route(index)
            case false?: continue
            case nil: return .needsModel
            }
        }
        return .none
    }
}

/// The rules of one route, made ready to be compared.
///
/// A class, so that looking at a route does not copy its rules.
final class RouteRules: Sendable {
    let hosts: [HostPattern]
    let path: PathPattern?
    let methods: [String]
    let headers: [TrafficPolicy.HeaderRule]
    let models: Set<String>

    init(_ match: TrafficPolicy.Match) {
        hosts = match.hosts.map { HostPattern($0) }
        path = match.path.flatMap { PathPattern($0) }
        methods = match.methods
        headers = match.headers
        models = Set(match.models)
    }

    var hasExactHostsOnly: Bool {
        !hosts.isEmpty
            && hosts.allSatisfy {
                if case .exact = $0 { true } else { false }
            }
    }

    func matches(host: String) -> Bool {
        hosts.isEmpty || hosts.contains { $0.matches(host) }
    }

    /// Whether all but host and model is as it should be.
    func matchesHead(_ query: RouteQuery, _ fields: some RouteFields) -> Bool {
        if let path, !path.matches(query.path.canonical) { return false }
        guard methods.isEmpty || methods.contains(query.method) else { return false }
        return headers.isEmpty || headers.allSatisfy { $0.matches(fields) }
    }

    /// Whether the model is one that is meant; nil if that has to be seen.
    func matches(_ model: RouteQuery.Model) -> Bool? {
        guard !models.isEmpty else { return true }
        switch model {
        case .named(let name): return models.contains(name)
        case .asked(let model): return matches(model)
        case .notYetKnown: return nil
        case .none: return false
        }
    }

    /// Whether every request of another route would be taken by this one; false where that is hard
    /// to say.
    func covers(_ other: RouteRules) -> Bool {
        let coversHosts =
            hosts.isEmpty
            || !other.hosts.isEmpty
                && other.hosts.allSatisfy { host in hosts.contains { $0.covers(host) } }
        let coversPath = path.map { path in other.path.map(path.covers) ?? false } ?? true
        let coversMethods =
            methods.isEmpty || !other.methods.isEmpty && other.methods.allSatisfy(methods.contains)
        let coversModels =
            models.isEmpty || !other.models.isEmpty && other.models.isSubset(of: models)
        return coversHosts && coversPath && coversMethods && coversModels
            && headers.allSatisfy { rule in other.headers.contains { rule.isImplied(by: $0) } }
    }
}

extension TrafficPolicy.HeaderRule {
    /// Whether a request's fields keep the rule.
    func matches(_ fields: some RouteFields) -> Bool {
        let value = fields.first(name)
        return switch condition {
        case .present(let isWanted): (value != nil) == isWanted
        case .exact(let exact): value.map { $0.utf8.elementsEqual(exact.utf8) } ?? false
        case .prefix(let prefix): value.map { $0.utf8.starts(with: prefix.utf8) } ?? false
        }
    }

    /// Whether every request that keeps another rule keeps this one.
    func isImplied(by other: TrafficPolicy.HeaderRule) -> Bool {
        guard name.lowercased() == other.name.lowercased() else { return false }
        switch (condition, other.condition) {
        case (.present(true), .exact), (.present(true), .prefix): return true
        case (.prefix(let prefix), .exact(let value)), (.prefix(let prefix), .prefix(let value)):
            return value.utf8.starts(with: prefix.utf8)
        default: return condition == other.condition
        }
    }
}
