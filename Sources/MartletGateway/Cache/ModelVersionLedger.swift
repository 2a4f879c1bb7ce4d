/// Tells from what endpoints serve when a model has changed, so that its cached answers are of the
/// past.
///
/// Each endpoint counts by itself: a model has changed when one endpoint serves other versions of
/// it than before, or means others by its labels. With the union of all endpoints' versions, one
/// that takes a version up later than the others would change nothing, and what it answered until
/// then would stay.
///
/// What an endpoint begins to serve is a change only if no other of its pool serves the same, and
/// what it stops to serve only if no other goes on: a failover or a restart must not empty the
/// cache.
struct ModelVersionLedger: Sendable {
    /// An endpoint of a pool.
    struct Member: Hashable, Sendable {
        let pool: String
        let endpoint: EndpointID
    }

    /// What an endpoint serves of a model.
    struct Serving: Hashable, Sendable {
        /// The versions that answer.
        let versions: Set<Int64>
        /// The versions that labels mean; nil where the endpoint does not tell.
        var labels: [String: Int64]?
    }

    /// What endpoints serve, or served before they stopped; without versions there is no entry.
    private var served: [Member: [String: Serving]] = [:]

    /// How many endpoints are known.
    var memberCount: Int { served.count }

    /// Takes in what an endpoint serves of each model now.
    ///
    /// - Returns: the models that have changed, in order of name.
    mutating func report(_ models: [String: Serving], by member: Member) -> [String] {
        let known = served[member] ?? [:]
        let names = Set(models.keys).union(known.keys)
        return names.sorted().filter { name in takeIn(models[name], of: name, by: member) }
    }

    /// An endpoint is no longer part of its pool.
    ///
    /// - Returns: the models that have changed by that, in order of name: what nobody else of the
    ///   pool serves as it did.
    mutating func forget(_ member: Member) -> [String] {
        guard let known = served.removeValue(forKey: member) else { return [] }
        return known.filter { !isServed($0.value, of: $0.key, besides: member) }.keys.sorted()
    }

    /// The model that a request by OpenAI's API means, which may also name a version or a label of
    /// it behind a colon.
    ///
    /// - Parameters:
    ///   - name: what the request says.
    ///   - pool: the pool that is asked.
    /// - Returns: the name that endpoints report; what the request says if none has reported any;
    ///   nil for what is no model that is known, such as an adapter: it changes without a word. So
    ///   does a label that not all endpoints tell of.
    func model(named name: String, in pool: String) -> String? {
        let colon = name.lastIndex(of: ":")
        let suffix = colon.map { name[name.index(after: $0)...] }
        let mayBeLabel = suffix.map { Int64($0) == nil } ?? false
        guard served.keys.contains(where: { $0.pool == pool }) else {
            return mayBeLabel ? nil : name
        }
        if isServed(name, in: pool) { return name }
        guard let colon else { return nil }
        let model = String(name[..<colon])
        guard isServed(model, in: pool), !mayBeLabel || tellsLabels(of: model, in: pool) else {
            return nil
        }
        return model
    }

    /// Whether it is known of a model when one of its labels comes to mean another version.
    func tellsLabels(of model: String, in pool: String) -> Bool {
        let all = servings(of: model, in: pool)
        return !all.isEmpty && all.allSatisfy { $0.labels != nil }
    }

    /// What endpoints of a pool serve of a model, in words that change whenever that does at any of
    /// them.
    func fingerprint(of model: String, in pool: String) -> String {
        servings(of: model, in: pool).map(\.text).sorted().joined(separator: "|")
    }

    private func servings(of model: String, in pool: String) -> [Serving] {
        served.compactMap { $0.key.pool == pool ? $0.value[model] : nil }
    }

    private func isServed(_ model: String, in pool: String) -> Bool {
        served.contains { $0.key.pool == pool && $0.value[model] != nil }
    }

    /// Takes in what an endpoint serves of one model; whether that has changed the model.
    private mutating func takeIn(
        _ serving: Serving?, of model: String, by member: Member
    ) -> Bool {
        let before = served[member]?[model]
        let serving = serving.flatMap { $0.versions.isEmpty ? nil : $0 }
        guard serving != before else { return false }
        guard let serving else {
            // What it served is remembered: it may come back with something else.
            if let before, isServed(before, of: model, besides: member) { return false }
            served[member]?[model] = nil
            return true
        }
        served[member, default: [:]][model] = serving
        return before != nil || !isServed(serving, of: model, besides: member)
    }

    private func isServed(_ serving: Serving, of model: String, besides member: Member) -> Bool {
        served.contains {
            $0.key.pool == member.pool && $0.key != member && $0.value[model] == serving
        }
    }
}

extension ModelVersionLedger.Serving {
    /// Itself in words, different for different ones.
    fileprivate var text: String {
        let versions = versions.sorted().map(String.init).joined(separator: ",")
        guard let labels else { return versions }
        // Labels may have any letters.
        let meant = labels.sorted { $0.key < $1.key }
            .map { "\($0.key.utf8.count):\($0.key)=\($0.value)" }
        return versions + ";" + meant.joined(separator: ",")
    }
}
