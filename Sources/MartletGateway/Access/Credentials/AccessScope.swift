/// What a credential may ask for.
struct AccessScope: Sendable, Hashable {
    /// Lists of patterns, in each of which one has to match a model's name; all models without any.
    var models: [[GlobPattern]] = []
    /// What may be asked.
    var verbs = AccessVerbs.standard
    /// The priorities that requests may have, from the one that matters most.
    var priorities = AccessScope.standardPriorities

    /// All but `critical`.
    static let standardPriorities: ClosedRange<RequestPriority> = .high ... .low

    /// All that there is.
    static let everything = AccessScope(
        verbs: AccessVerbs(.any), priorities: .critical ... .low)

    /// Whether some model may not be asked for.
    var limitsModels: Bool { !models.isEmpty }

    /// Whether a model may be asked for.
    func allows(model: String) -> Bool { allows(AskedModel(model)) }

    /// Whether a model may be asked for by this name.
    func allows(_ model: AskedModel) -> Bool {
        models.allSatisfy { patterns in patterns.contains { $0.matches(model) } }
    }

    /// The priority of requests that say nothing: normal, or what is nearest to it.
    var standardPriority: RequestPriority {
        min(max(.normal, priorities.lowerBound), priorities.upperBound)
    }

    /// What this scope and another both allow; nil if they have no priority in common.
    func intersection(_ other: AccessScope) -> AccessScope? {
        let first = max(priorities.lowerBound, other.priorities.lowerBound)
        let last = min(priorities.upperBound, other.priorities.upperBound)
        guard first <= last else { return nil }
        return AccessScope(
            models: models + other.models, verbs: verbs.intersection(other.verbs),
            priorities: first...last)
    }
}
