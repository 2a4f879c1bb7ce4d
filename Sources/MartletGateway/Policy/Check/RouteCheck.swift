import MartletConfiguration

/// Checks one route for what no section of it can tell alone.
struct RouteCheck {
    let check: PolicyCheck
    let route: TrafficPolicy.Route
    let keyPath: String

    /// Notes all that is wrong.
    func run(_ problems: inout ConfigurationProblems) {
        checkDestination(&problems)
        checkAttempts(&problems)
        checkTokenTimes(&problems)
        checkAnswerLength(&problems)
        checkFallbacks(&problems)
        checkChanges(&problems)
        if route.limits.burst != nil, route.limits.requestsPerSecond == nil {
            problems.add(
                at: "\(keyPath).limits.burst",
                "means nothing without 'requests_per_second'; add that")
        }
        if let canary = route.canary { checkCanary(canary, &problems) }
        if let shadow = route.shadow { checkShadow(shadow, &problems) }
    }

    private func checkDestination(_ problems: inout ConfigurationProblems) {
        if let pool = route.pool { checkPool(pool, at: "\(keyPath).pool", &problems) }
        let places = problems.keyPaths(of: "\(keyPath).split", count: route.split.count)
        for (target, place) in zip(route.split, places) {
            checkPool(target.pool, at: "\(place).pool", &problems)
        }
        if !route.split.isEmpty, route.split.allSatisfy({ $0.weight == 0 }) {
            problems.add(at: "\(keyPath).split", "every weight is 0; raise one")
        }
        let pools = check.policy.pools
        if route.pool == nil, route.split.isEmpty, pools.count > 1 {
            problems.add(at: keyPath, "'pool' or 'split' is missing; there are several pools")
        }
    }

    func checkPool(
        _ name: String, at place: String, _ problems: inout ConfigurationProblems
    ) {
        let names = check.policy.pools.map(\.name)
        guard check.knowsAllPools, !names.contains(name) else { return }
        let remedy =
            nearestMatch(to: name, among: names).map { "did you mean '\($0)'?" }
            ?? "expected one of \(names.prefix(8).map { "'\($0)'" }.joined(separator: ", "))"
        problems.add(at: place, "there is no pool '\(name)'; \(remedy)")
    }

    private func checkAttempts(_ problems: inout ConfigurationProblems) {
        if let perTry = route.timeouts.perTry, perTry > route.timeouts.total {
            problems.add(
                at: "\(keyPath).timeouts.per_try_seconds", "is above 'total_seconds'; lower it")
        }
        if case .fixed(let delay)? = route.hedging?.delay, delay >= route.timeouts.total {
            problems.warn(
                at: "\(keyPath).hedging.delay_seconds",
                "is not below 'total_seconds' of 'timeouts', so there is never a second attempt")
        }
    }

    private func checkChanges(_ problems: inout ConfigurationProblems) {
        if route.rewrite?.pathPrefix != nil {
            if case .prefix? = route.match.path {
            } else {
                problems.add(
                    at: "\(keyPath).rewrite.path_prefix",
                    "there is nothing to replace; add 'path_prefix' to 'match'")
            }
        }
        for (section, changes) in [
            ("request", route.requestHeaders), ("response", route.responseHeaders),
        ] {
            let set = Set(changes.set.map { $0.key.lowercased() })
            let removed = Set(changes.remove.map { $0.lowercased() })
            for name in set.intersection(removed).sorted() {
                problems.warn(
                    at: "\(keyPath).headers.\(section)",
                    "'\(name)' is set and removed; setting is enough")
            }
        }
    }

    private func checkCanary(
        _ canary: TrafficPolicy.Canary, _ problems: inout ConfigurationProblems
    ) {
        if canary.baseline == canary.candidate {
            problems.add(
                at: "\(keyPath).canary.candidate",
                "is \(canary.candidate), which is the baseline too; name another")
        }
        if canary.weightStart > canary.weightMax {
            problems.add(
                at: "\(keyPath).canary.weight_percent_start",
                "is above 'weight_percent_max'; lower it")
        }
        if !route.match.models.isEmpty, !route.match.models.contains(canary.model) {
            problems.add(
                at: "\(keyPath).canary.model",
                "'\(canary.model)' is not among 'models' of 'match', so no request is for it")
        }
        if let rewrite = route.rewrite, rewrite.model != nil || rewrite.version != nil {
            problems.add(
                at: "\(keyPath).canary", "chooses the version, and so does 'rewrite'; keep one")
        }
    }

    private func checkShadow(
        _ shadow: TrafficPolicy.Shadow, _ problems: inout ConfigurationProblems
    ) {
        guard case .pool(let pool) = shadow.target else { return }
        checkPool(pool, at: "\(keyPath).shadow.pool", &problems)
        if pool == route.pool ?? (route.split.isEmpty ? check.policy.onlyPool : nil) {
            problems.warn(
                at: "\(keyPath).shadow.pool",
                "is the route's own pool, so answers are compared with those of the same nodes")
        }
    }
}
