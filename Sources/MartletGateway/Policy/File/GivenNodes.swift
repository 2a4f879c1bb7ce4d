import MartletConfiguration

extension TrafficPolicy {
    /// The nodes of a gateway that learns of them by flags, as `martlet up` starts it, and not by
    /// its policy.
    ///
    /// The policy then says what else there is to say: a policy without pools has one named
    /// `default` of these nodes, as the flags say; one with a pool without nodes has that of them.
    public struct GivenNodes: Sendable, Equatable {
        /// A pool of these nodes, as flags alone amount to.
        let pool: Pool
    }

    /// Completes what was read by nodes, and notes what contradicts them.
    mutating func take(_ nodes: GivenNodes, _ problems: inout ConfigurationProblems) {
        checkGiven(&problems)
        if pools.isEmpty, !problems.hasDropped(from: "pools") {
            pools = [nodes.pool]
            pools[0].tls = nil
        } else if let first = pools.indices.first {
            pools[first].endpoints = nodes.pool.endpoints
        }
        if !problems.wasRead("routes"), let pool = pools.first, pools.count == 1 {
            routes = [Route(name: Self.defaultPool, pool: pool.name)]
        }
    }

    /// What flags say in a gateway that learns of its nodes by flags.
    private func checkGiven(_ problems: inout ConfigurationProblems) {
        let isTold =
            "a cluster's nodes are not named here but started with it (or named by "
            + "--endpoint); remove it"
        if problems.wasRead("endpoints") {
            problems.add(at: "endpoints", isTold)
        }
        var index = 0
        while problems.wasRead("pools[\(index)]") {
            let path = "pools[\(index)]"
            for key in ["endpoints", "dns", "tls"] where problems.wasRead("\(path).\(key)") {
                problems.add(
                    at: "\(path).\(key)",
                    key == "tls"
                        ? "is said by 'nodes.tls' of the cluster (or --upstream-tls-ca); remove it"
                        : isTold)
            }
            if index > 0 {
                problems.add(at: path, "a cluster has one pool, of all its nodes; remove this one")
            }
            index += 1
        }
        for key in ["listen", "admin.host", "admin.port"] where problems.wasRead(key) {
            problems.add(
                at: key,
                "is said by 'gateway' of the cluster (or by flags, where --endpoint is one); "
                    + "remove it")
        }
    }
}
