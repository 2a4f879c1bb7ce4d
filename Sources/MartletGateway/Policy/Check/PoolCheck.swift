import MartletConfiguration

extension PolicyCheck {
    /// Notes what is wrong with one pool.
    func checkPool(
        _ pool: TrafficPolicy.Pool, _ keyPath: String, _ problems: inout ConfigurationProblems
    ) {
        checkEndpoints(pool, keyPath, &problems)
        if let dns = pool.dns, (dns.port == nil) != (dns.record == .service) {
            problems.add(
                at: "\(keyPath).dns",
                dns.port == nil
                    ? "'port' is missing; add it, or ask for 'record: service'"
                    : "'port' comes from DNS with 'record: service'; remove it")
        }
        if pool.hashHeader != nil,
            ![.consistentHash, .prefixAware].contains(pool.balancing)
        {
            problems.add(
                at: "\(keyPath).hash_header",
                "is for 'balancing: consistent_hash' and 'prefix_aware' alone; remove it or choose "
                    + "one of them")
        }
        if pool.probes != TrafficPolicy.Probes(), pool.balancing != .prequal {
            problems.add(
                at: "\(keyPath).probes",
                "is for 'balancing: prequal' alone; remove it or choose that")
        }
        if (pool.tls?.certificateFile == nil) != (pool.tls?.keyFile == nil) {
            problems.add(
                at: "\(keyPath).tls", "'certificate_file' and 'key_file' need each other; add one")
        }
        if pool.health.grpcService != nil, pool.health.checkProtocol != .grpc {
            problems.add(
                at: "\(keyPath).health.grpc_service", "is for 'protocol: grpc' alone; remove it")
        }
        if pool.outliers.ejectionTime > pool.outliers.ejectionTimeMax {
            problems.add(
                at: "\(keyPath).outliers.ejection_seconds",
                "is above 'ejection_seconds_max'; lower it")
        }
        checkNearness(pool, keyPath, &problems)
    }

    private func checkEndpoints(
        _ pool: TrafficPolicy.Pool, _ keyPath: String, _ problems: inout ConfigurationProblems
    ) {
        let list = keyPath == "endpoints" ? keyPath : "\(keyPath).endpoints"
        let keyPaths = problems.keyPaths(of: list, count: pool.endpoints.count)
        var known: Set<HostAndPort> = []
        for (endpoint, keyPath) in zip(pool.endpoints, keyPaths)
        where !known.insert(endpoint.address).inserted {
            problems.add(at: keyPath, "\(endpoint.address) is here twice; remove one of them")
        }
    }

    private func checkNearness(
        _ pool: TrafficPolicy.Pool, _ keyPath: String, _ problems: inout ConfigurationProblems
    ) {
        let isUnknown =
            switch pool.nearness.preference {
            case .none: false
            case .region: policy.locality.region == nil
            case .zone: policy.locality.zone == nil
            }
        guard isUnknown else { return }
        problems.add(
            at: "\(keyPath).nearness.prefer",
            "nothing says where the gateway is; add '\(pool.nearness.preference.rawValue)' to "
                + "'locality'")
    }
}
