import MartletConfiguration
import MartletCore
import MartletTransport

/// What a policy may say, and this gateway cannot do yet.
extension TrafficPolicy {
    /// Refuses what must not be left undone in silence.
    ///
    /// - Throws: `ServingError` (`UNIMPLEMENTED`) that names the key.
    func checkSupport() throws(ServingError) {
        for pool in pools {
            let place = "pools[\(pool.name)]"
            if pool.dns != nil { throw TrafficPolicy.missing("\(place).dns", instead: "endpoints") }
            if pool.health.checkProtocol != .http {
                throw TrafficPolicy.missing("\(place).health.protocol", instead: "http")
            }
        }
    }

    /// Keys that have no effect yet.
    var keysWithoutEffect: [String] {
        var keys: [String] = []
        if locality != Locality() { keys.append("locality") }
        for pool in pools {
            if pool.panicShare != Pool.Keys.panicShare.standard {
                keys.append("pools[\(pool.name)].panic_percent")
            }
            if pool.connectTimeout != Pool.Keys.connectTimeout.standard {
                keys.append("pools[\(pool.name)].connect_timeout_seconds")
            }
            if pool.idleTimeout != Pool.Keys.idleTimeout.standard {
                keys.append("pools[\(pool.name)].idle_timeout_seconds")
            }
            if pool.endpoints.contains(where: { $0.weight != 1 || $0.locality != Locality() }) {
                keys.append("pools[\(pool.name)].endpoints: weight, region, zone")
            }
            var usual = Outliers()
            usual.consecutiveFailures = pool.outliers.consecutiveFailures
            usual.ejectionTime = pool.outliers.ejectionTime
            if pool.outliers != usual {
                keys.append(
                    "pools[\(pool.name)].outliers, but consecutive_failures and ejection_seconds")
            }
            if pool.breakers != Breakers() { keys.append("pools[\(pool.name)].breakers") }
            if pool.nearness != Nearness() { keys.append("pools[\(pool.name)].nearness") }
        }
        for route in routes {
            if route.shadow != nil { keys.append("routes[\(route.name)].shadow") }
            if route.retries.budgetShare != Retries.Keys.budgetShare.standard
                || route.retries.budgetMin != Retries.Keys.budgetMin.standard
            {
                keys.append("routes[\(route.name)].retries.budget_...")
            }
            if route.hedging != nil { keys.append("routes[\(route.name)].hedging") }
        }
        return keys
    }

    private static func missing(_ key: String, instead: String? = nil) -> ServingError {
        let advice = instead.map { "; use \($0)" } ?? ""
        return ServingError(.unimplemented, "\(key) is not supported yet\(advice)")
    }

    /// What the listener needs; `nil` to serve in the clear.
    var serverTLS: ServerTLS? {
        guard let tls else { return nil }
        var server = ServerTLS(
            certificateChain: .file(tls.certificateFile), privateKey: .file(tls.keyFile))
        server.minimumVersion = tls.minimumVersion == .tls13 ? .tls13 : .tls12
        if let file = tls.clientCAFile {
            server.clientVerification =
                switch tls.clientCertificates {
                case .none: .off
                case .optional: .optional(authorities: .file(file))
                case .required: .required(authorities: .file(file))
                }
        }
        server.revocationLists = tls.revocationFile.map { .file($0) }
        return server
    }
}

extension GatewayRules {
    /// All endpoints as the admin API shows them.
    var status: EndpointsStatus {
        EndpointsStatus(endpoints: pools.flatMap { $0.directory.status.endpoints })
    }
}
