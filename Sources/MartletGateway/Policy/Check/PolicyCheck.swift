import MartletConfiguration

/// Checks a policy that was read for what no section can tell alone.
///
/// Mistakes are problems; what can be done but is probably not meant is a warning.
struct PolicyCheck {
    let policy: TrafficPolicy
    /// Where each pool and each route stands in the file.
    let poolPaths: [String]
    let routePaths: [String]
    /// Whether all pools of the file could be read, so that their names are known.
    let knowsAllPools: Bool
    private let isReadable: (String) -> Bool

    /// Creates a check of what was read with these problems.
    init(
        _ policy: TrafficPolicy, _ problems: ConfigurationProblems,
        isReadable: @escaping (String) -> Bool
    ) {
        self.policy = policy
        let hasShort =
            problems.wasRead("endpoints") && policy.pools.first?.name == TrafficPolicy.defaultPool
        let listed = policy.pools.count - (hasShort ? 1 : 0)
        poolPaths =
            (hasShort ? ["endpoints"] : []) + problems.keyPaths(of: "pools", count: listed)
        routePaths = problems.keyPaths(of: "routes", count: policy.routes.count)
        knowsAllPools = !problems.hasDropped(from: "pools")
        self.isReadable = isReadable
    }

    /// Notes all that is wrong.
    func run(_ problems: inout ConfigurationProblems) {
        checkPorts(&problems)
        checkNames(&problems)
        checkTLS(&problems)
        checkCache(&problems)
        for (pool, keyPath) in zip(policy.pools, poolPaths) {
            checkPool(pool, keyPath, &problems)
        }
        for (route, keyPath) in zip(policy.routes, routePaths) {
            RouteCheck(check: self, route: route, keyPath: keyPath).run(&problems)
        }
        checkUse(&problems)
        checkOrder(&problems)
        for (keyPath, file) in files where !isReadable(file) {
            problems.add(
                at: keyPath,
                "there is no file at '\(file)' that can be read; create it or correct the path, "
                    + "which is relative to the policy's file")
        }
    }

    private func checkPorts(_ problems: inout ConfigurationProblems) {
        let (listen, admin) = (policy.listen, policy.admin)
        guard listen.port != 0, listen.port == admin.port else { return }
        let names = [listen.host, admin.host].map { $0 == "localhost" ? "127.0.0.1" : $0 }
        guard names[0] == names[1] || names.contains("0.0.0.0") || names.contains("::") else {
            return
        }
        problems.add(at: "admin.port", "\(admin.port) is also listen.port; choose another")
    }

    private func checkNames(_ problems: inout ConfigurationProblems) {
        checkUnique(policy.pools.map(\.name), poolPaths, of: "pool", &problems)
        checkUnique(policy.routes.map(\.name), routePaths, of: "route", &problems)
    }

    private func checkUnique(
        _ names: [String], _ keyPaths: [String], of kind: String,
        _ problems: inout ConfigurationProblems
    ) {
        var first: [String: String] = [:]
        for (name, keyPath) in zip(names, keyPaths) {
            guard let earlier = first[name] else {
                first[name] = keyPath
                continue
            }
            let line = problems.line(of: earlier).map { " at line \($0)" } ?? ""
            problems.add(
                at: "\(keyPath).name",
                "'\(name)' is already the name of the \(kind)\(line); choose another")
        }
    }

    private func checkTLS(_ problems: inout ConfigurationProblems) {
        guard let tls = policy.tls else { return }
        let asks = tls.clientCertificates != .none
        if asks, tls.clientCAFile == nil {
            problems.add(
                at: "tls.client_certificates",
                "nothing says who signs clients' certificates; add 'client_ca_file'")
        }
        if !asks, tls.clientCAFile != nil || tls.revocationFile != nil {
            problems.warn(
                at: "tls", "clients are not asked for certificates; set 'client_certificates'")
        }
    }

    private func checkCache(_ problems: inout ConfigurationProblems) {
        let cache = policy.cache
        if cache.timeToLiveMin > cache.timeToLiveMax {
            problems.add(at: "cache.ttl_seconds_min", "is above 'ttl_seconds_max'; lower it")
        }
        if cache.entryBytesMax > cache.memoryBytes, cache.redis == nil {
            problems.warn(
                at: "cache.entry_bytes_max",
                "is more than 'memory_bytes' holds; such answers are never kept")
        }
    }

    /// Pools that nothing goes to.
    private func checkUse(_ problems: inout ConfigurationProblems) {
        var used: Set<String> = []
        for route in policy.routes {
            used.formUnion(route.split.map(\.pool))
            if let pool = route.pool ?? (route.split.isEmpty ? policy.onlyPool : nil) {
                used.insert(pool)
            }
            if case .pool(let pool)? = route.shadow?.target { used.insert(pool) }
            used.formUnion(route.fallbacks.compactMap(\.pool))
        }
        for (pool, keyPath) in zip(policy.pools, poolPaths) where !used.contains(pool.name) {
            problems.warn(at: keyPath, "no route goes to the pool '\(pool.name)'")
        }
    }

    /// Routes that an earlier one takes everything from.
    private func checkOrder(_ problems: inout ConfigurationProblems) {
        let rules = policy.routes.map { RouteRules($0.match) }
        for index in rules.indices {
            guard let earlier = rules[..<index].firstIndex(where: { $0.covers(rules[index]) })
            else { continue }
            let line = problems.line(of: routePaths[earlier]).map { " at line \($0)" } ?? ""
            problems.warn(
                at: routePaths[index],
                "the route '\(policy.routes[index].name)' is never reached: "
                    + "'\(policy.routes[earlier].name)'\(line) takes all its requests; put it "
                    + "before that one, or remove it")
        }
    }
}

extension TrafficPolicy {
    /// The pool of routes that name none; nil if there are several pools.
    var onlyPool: String? { pools.count == 1 ? pools.first?.name : nil }
}
