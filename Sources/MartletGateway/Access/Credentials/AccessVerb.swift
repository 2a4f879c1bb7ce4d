/// What may be asked of a model, or of the cluster; the raw values are those of configuration and
/// messages.
enum AccessVerb: String, Sendable, Hashable, CaseIterable {
    case predict
    case classify
    case regress
    /// What a model takes and answers, and how it is configured.
    case metadata
    /// Whether models are there and ready, and their list.
    case status
    /// Texts: chats, completions, responses, reranking, tokens.
    case chat
    case embeddings
    /// What changes what is served, and every path that nobody knows.
    case admin
    /// All of these.
    case any
}

/// A set of verbs.
struct AccessVerbs: OptionSet, Sendable, Hashable {
    let rawValue: UInt16

    init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// One verb, or all for ``AccessVerb/any``.
    init(_ verb: AccessVerb) {
        if verb == .any {
            self = AccessVerbs(AccessVerb.allCases.filter { $0 != .any })
        } else {
            let place = AccessVerb.allCases.firstIndex(of: verb) ?? 0
            self.init(rawValue: 1 << UInt16(place))
        }
    }

    /// All of these verbs.
    init(_ verbs: [AccessVerb]) {
        self = verbs.reduce(into: []) { $0.formUnion(AccessVerbs($1)) }
    }

    /// What users of models need: all but `admin`.
    static let standard = AccessVerbs(.any).subtracting(AccessVerbs(.admin))

    /// The names of the verbs, for messages.
    var names: [String] {
        AccessVerb.allCases.filter { $0 != .any && contains(AccessVerbs($0)) }.map(\.rawValue)
    }
}
