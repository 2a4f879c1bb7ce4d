import MartletTelemetry
import MartletTransport

/// A model as a request names it, and what a node may take that name for.
///
/// By OpenAI's API a name may also be `MODEL:VERSION`, `MODEL:LABEL` or an adapter's. Whoever may
/// not ask for a model, or not as often, must not get it by another of its names.
struct AskedModel: Sendable, Hashable {
    /// What the request says.
    let name: String
    /// The model whose version or label the name may mean; nil where it means itself alone.
    let base: String?
    /// The model that stands before all colons, of `MODEL:VERSION:ADAPTER` too; nil like ``base``.
    let root: String?
    /// The models that the name is an adapter of, as nodes tell, in order; none for a model.
    let parents: [String]

    /// A name that means itself alone, as in paths and in messages of gRPC.
    init(_ name: String) {
        self.name = name
        base = nil
        root = nil
        parents = []
    }

    /// A name of OpenAI's API.
    ///
    /// - Parameters:
    ///   - name: what the request says.
    ///   - isModel: whether nodes tell of a model that is called just so.
    ///   - isBaseModel: whether they tell of one that is called as what stands before the last
    ///     colon.
    ///   - parents: the models that this is an adapter of.
    init(
        ofOpenAI name: String, isModel: Bool = false, isBaseModel: Bool = false,
        parents: Set<String> = []
    ) {
        let colon = isModel ? nil : name.utf8.lastIndex(of: UInt8(ascii: ":"))
        guard let colon, colon != name.startIndex else {
            self.name = name
            base = nil
            root = nil
            self.parents = isModel ? [] : parents.sorted()
            return
        }
        let version = String(name[name.utf8.index(after: colon)...])
        let base = String(name[..<colon])
        // Of MODEL:VERSION:ADAPTER the model stands before both.
        let inner = isBaseModel ? nil : base.utf8.lastIndex(of: UInt8(ascii: ":"))
        // All that is the same number is the same version: 1, 01, +1.
        self.name = Int64(version).map { "\(base):\($0)" } ?? name
        self.base = base
        root = inner.flatMap { $0 == base.startIndex ? nil : String(base[..<$0]) } ?? base
        self.parents = parents.sorted()
    }
}

extension GlobPattern {
    /// Whether a model is meant: by its own name where the request names a version of it, unless
    /// the pattern has a colon and so speaks of versions.
    func matches(_ model: AskedModel) -> Bool {
        guard let base = model.base else { return matches(model.name) }
        return matches(base) || namesVersions && matches(model.name)
    }

    /// Whether it may tell versions of a model apart.
    var namesVersions: Bool { text.utf8.contains(UInt8(ascii: ":")) }
}

extension AccessQuotas {
    /// The limits of all names by which a request's model is counted: its own, the one whose
    /// version it is, and the ones whose adapter it is.
    func limits(of model: AskedModel) -> [(model: String, limits: QuotaLimits)] {
        guard !models.isEmpty else { return [] }
        let names = [model.root ?? model.name] + model.parents
        var found = names.compactMap { name in limits(of: name).map { (name, $0) } }
        let versions = model.root == model.base ? [model.name] : [model.name, model.base ?? ""]
        for name in versions where model.base != nil {
            let version = models.first { entry in
                entry.pattern.namesVersions && entry.pattern.matches(name)
            }
            if let version { found.append((name, version.limits)) }
        }
        return found
    }
}

extension RouteRules {
    /// Whether a model is meant: by its own name, by that of the model whose version it is, or by
    /// those of the models whose adapter it is.
    func matches(_ model: AskedModel) -> Bool {
        models.contains(model.name) || model.root.map(models.contains) ?? false
            || model.parents.contains(where: models.contains)
    }
}

extension GatewayPolicy {
    /// What a name means that stands in the body of a request.
    static func asked(
        _ name: String, of request: ForwardedRequest, _ rules: GatewayRules
    ) -> AskedModel {
        guard request.api == .rest else { return AskedModel(name) }
        return asked(name, rules)
    }

    /// What a name of OpenAI's API means.
    static func asked(_ name: String, _ rules: GatewayRules) -> AskedModel {
        let known = rules.pools.map { $0.directory.meaning(of: name) }
        let isBaseModel =
            name.utf8.lastIndex(of: UInt8(ascii: ":")).map { colon in
                let base = String(name[..<colon])
                return rules.pools.contains { $0.directory.meaning(of: base).isModel }
            } ?? false
        return AskedModel(
            ofOpenAI: name, isModel: known.contains(where: \.isModel), isBaseModel: isBaseModel,
            parents: known.reduce(into: []) { $0.formUnion($1.parents) })
    }
}
