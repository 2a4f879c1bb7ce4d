import MartletConfiguration

/// What a route says of language models alone.
extension RouteCheck {
    func checkTokenTimes(_ problems: inout ConfigurationProblems) {
        let (times, place) = (route.timeouts, "\(keyPath).timeouts")
        let given = [
            ("first_token_seconds", times.firstToken),
            ("between_tokens_seconds", times.betweenTokens),
        ].filter { $0.1 != nil }
        if times.perToken == nil {
            for (key, time) in given where time ?? .zero > times.total {
                problems.add(at: "\(place).\(key)", "is above 'total_seconds'; lower it")
            }
            if times.tokensAssumed != TrafficPolicy.Timeouts().tokensAssumed {
                problems.add(
                    at: "\(place).tokens_assumed",
                    "means nothing without 'per_token_seconds'; add that")
            }
        }
        let keys = given.map(\.0) + (times.perToken == nil ? [] : ["per_token_seconds"])
        if let key = keys.first, !mayBe([.chatCompletions, .completions]) {
            problems.add(
                at: "\(place).\(key)",
                "is for chats and completions by OpenAI's API, which 'match' leaves out; remove it")
        }
    }

    func checkAnswerLength(_ problems: inout ConfigurationProblems) {
        let calls = OpenAICall.allCases.filter(\.hasChosenLength)
        guard route.limits.outputTokens != nil, !mayBe(calls) else { return }
        let paths = calls.map(\.rawValue).joined(separator: ", ")
        problems.add(
            at: "\(keyPath).limits.\(OutputTokenLimit.key)",
            "is for requests by OpenAI's API that say how long an answer may be (\(paths)), which "
                + "'match' leaves out; remove it")
    }

    func checkFallbacks(_ problems: inout ConfigurationProblems) {
        let list = "\(keyPath).fallbacks"
        guard !route.fallbacks.isEmpty else { return }
        let calls = OpenAICall.allCases.filter { call in
            route.fallbacks.contains { call.allows($0) }
        }
        if !mayBe(calls) {
            let paths = calls.map(\.rawValue).joined(separator: ", ")
            problems.add(
                at: list,
                "is for requests by OpenAI's API whose body names the model (\(paths)), which "
                    + "'match' leaves out; remove it")
        }
        let places = problems.keyPaths(of: list, count: route.fallbacks.count)
        var asked: Set<Target> = []
        if let pool = ownPool {
            // Of a route for several models no one is asked always.
            asked.insert(Target(model: nil, pool: pool))
            if route.match.models.count == 1, let model = route.match.models.first {
                asked.insert(Target(model: model, pool: pool))
            }
        }
        for (fallback, place) in zip(route.fallbacks, places) {
            if let pool = fallback.pool { checkPool(pool, at: "\(place).pool", &problems) }
            // One without either was refused for that.
            guard fallback.model != nil || fallback.pool != nil else { continue }
            let target = Target(model: fallback.model, pool: fallback.pool ?? ownPool)
            guard !asked.insert(target).inserted else { continue }
            problems.add(
                at: place,
                "asks what was asked before; name another 'model' or 'pool', or remove it")
        }
    }

    /// What is asked: a model in a pool, where they are named.
    private struct Target: Hashable {
        let model: String?
        let pool: String?
    }

    /// The pool of all requests of the route; nil where there are several.
    private var ownPool: String? {
        route.pool ?? (route.split.isEmpty ? check.policy.onlyPool : nil)
    }

    /// Whether one of these requests could match.
    private func mayBe(_ calls: [OpenAICall]) -> Bool {
        guard route.match.methods.isEmpty || route.match.methods.contains("POST") else {
            return false
        }
        guard let rule = route.match.path else { return true }
        guard let pattern = PathPattern(rule) else { return true }
        return calls.contains { pattern.matches($0.rawValue) }
    }
}
