/// Tells from what endpoints serve when a model has changed, so that its cached answers are of the
/// past.
///
/// Each endpoint counts by itself: a model has changed when one endpoint serves other versions of
/// it than before. With the union of all endpoints' versions, one that takes a version up later
/// than the others would change nothing, and what it answered until then would stay.
///
/// What an endpoint begins to serve is a change only if no other serves the same, and what it stops
/// to serve only if no other goes on: a failover or a restart must not empty the cache.
struct ModelVersionLedger: Sendable {
    /// What endpoints serve, or served before they stopped; no set is empty.
    private var served: [EndpointID: [String: Set<Int64>]] = [:]

    /// Takes in which versions of each model an endpoint serves now.
    ///
    /// - Returns: the models that have changed, in order of name.
    mutating func report(_ versions: [String: Set<Int64>], by endpoint: EndpointID) -> [String] {
        let known = served[endpoint] ?? [:]
        let names = Set(versions.keys).union(known.keys)
        return names.sorted().filter { name in
            takeIn(versions[name] ?? [], of: name, by: endpoint)
        }
    }

    /// The model that a request by OpenAI's API means, which may also name a version or a label of
    /// it behind a colon.
    ///
    /// - Parameter name: what the request says.
    /// - Returns: the name that endpoints report; what the request says if none has reported any;
    ///   nil for what is no model that is known, such as an adapter: it changes without a word.
    func model(named name: String) -> String? {
        guard !served.isEmpty else { return name }
        if isServed(name) { return name }
        guard let colon = name.lastIndex(of: ":") else { return nil }
        let model = String(name[..<colon])
        return isServed(model) ? model : nil
    }

    private func isServed(_ model: String) -> Bool { served.values.contains { $0[model] != nil } }

    /// What endpoints serve of a model, in words that change whenever that does at any of them.
    func fingerprint(of model: String) -> String {
        served.values.compactMap { $0[model] }
            .map { $0.sorted().map(String.init).joined(separator: ",") }
            .sorted().joined(separator: "|")
    }

    /// An endpoint is no longer part of the cluster.
    mutating func forget(_ endpoint: EndpointID) { served[endpoint] = nil }

    /// Takes in what an endpoint serves of one model; whether that has changed the model.
    private mutating func takeIn(
        _ versions: Set<Int64>, of model: String, by endpoint: EndpointID
    ) -> Bool {
        let before = served[endpoint]?[model] ?? []
        guard versions != before else { return false }
        if versions.isEmpty {
            // What it served is remembered: it may come back with something else.
            if isServed(before, of: model, besides: endpoint) { return false }
            served[endpoint]?[model] = nil
            return true
        }
        served[endpoint, default: [:]][model] = versions
        return !before.isEmpty || !isServed(versions, of: model, besides: endpoint)
    }

    private func isServed(
        _ versions: Set<Int64>, of model: String, besides endpoint: EndpointID
    ) -> Bool {
        served.contains { $0.key != endpoint && $0.value[model] == versions }
    }
}
