import MartletConfiguration

extension TrafficPolicy.HeaderChanges {
    /// Whether nothing is changed.
    var isEmpty: Bool { remove.isEmpty && set.isEmpty && add.isEmpty }

    /// Changes header fields.
    func apply(to fields: inout [(name: String, value: String)]) {
        guard !isEmpty else { return }
        let gone = (remove + set.map(\.key)).map { $0.lowercased() }
        fields.removeAll { gone.contains($0.name.lowercased()) }
        fields += (set + add).map { (name: $0.key, value: $0.value) }
    }
}

extension TrafficPolicy.Rewrite {
    /// The path that goes to the node.
    ///
    /// - Parameters:
    ///   - path: the path that came.
    ///   - rule: the rule by which the route took it.
    ///   - naming: what it says of a model.
    /// - Returns: the new path; the raw one if nothing is changed.
    func path(
        of path: RequestPath, rule: TrafficPolicy.PathRule?, naming: ModelNaming
    ) -> String {
        if let replacement = pathPrefix {
            guard case .prefix(let prefix)? = rule.flatMap({ PathPattern($0) }),
                path.canonical.utf8.starts(with: prefix.utf8)
            else { return path.raw }
            return TrafficPolicy.Rewrite.joined(
                replacement, String(path.canonical.dropFirst(prefix.count)))
        }
        guard case .path(var target) = naming, model != nil || version != nil else {
            return path.raw
        }
        target.model = model ?? target.model
        return target.path(version: version ?? TrafficPolicy.VersionName(target.version))
    }

    /// Two parts of a path with one slash between them, where there should be one.
    private static func joined(_ prefix: String, _ rest: String) -> String {
        let isParted = rest.isEmpty || rest.hasPrefix("/") || rest.hasPrefix(":")
        if prefix.hasSuffix("/") {
            let path = rest.hasPrefix("/") ? prefix + rest.dropFirst() : prefix + rest
            return rest.hasPrefix(":") ? String(prefix.dropLast()) + rest : path
        }
        return prefix + (isParted ? "" : "/") + rest
    }
}

extension TrafficPolicy.VersionName {
    /// The version of a target; nil for the latest.
    init?(_ version: ModelTarget.Version) {
        switch version {
        case .latest: return nil
        case .number(let number): self = .number(Int(number))
        case .label(let label): self = .label(label)
        }
    }
}

extension ModelTarget {
    /// The path that asks the same of a version of the model, or of the one that the node chooses.
    func path(version: TrafficPolicy.VersionName?) -> String {
        let name = ModelTarget.encoded(model)
        switch api {
        case .tensorFlowServing:
            let part =
                switch version {
                case .number(let number): "/versions/\(number)"
                case .label(let label): "/labels/\(ModelTarget.encoded(label))"
                case nil: ""
                }
            let suffix =
                switch verb {
                case .status: ""
                case .metadata: "/metadata"
                default: ":\(verb.rawValue)"
                }
            return "/v1/models/\(name)\(part)\(suffix)"
        case .openInference:
            // Loading and unloading is of all versions.
            if verb == .load || verb == .unload {
                return "/v2/repository/models/\(name)/\(verb.rawValue)"
            }
            let part =
                switch version {
                case .number(let number): "/versions/\(number)"
                case .label(let label): "/versions/\(ModelTarget.encoded(label))"
                case nil: ""
                }
            return "/v2/models/\(name)\(part)" + (verb == .metadata ? "" : "/\(verb.rawValue)")
        }
    }

    /// A name as a part of a path: all is encoded but what RFC 3986 calls unreserved.
    private static func encoded(_ name: String) -> String {
        name.utf8.reduce(into: "") { text, byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                text += byte < 16 ? "%0\(digits)" : "%\(digits)"
            }
        }
    }
}
