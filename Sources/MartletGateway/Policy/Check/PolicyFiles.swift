extension TrafficPolicy {
    /// Calls for every path of a file in the policy, to change it.
    ///
    /// - Parameters:
    ///   - poolPaths: where each pool stands in the file.
    ///   - change: gets the keys that lead to a path, and what stands there.
    mutating func changeFiles(
        poolPaths: [String], _ change: (_ keyPath: String, _ file: String) -> String
    ) {
        func visit(_ keyPath: String, _ file: inout String?) {
            file = file.map { change(keyPath, $0) }
        }
        visit("admin.token_file", &admin.tokenFile)
        if var tls {
            tls.certificateFile = change("tls.certificate_file", tls.certificateFile)
            tls.keyFile = change("tls.key_file", tls.keyFile)
            visit("tls.client_ca_file", &tls.clientCAFile)
            visit("tls.revocation_file", &tls.revocationFile)
            self.tls = tls
        }
        if var access {
            visit("access.api_keys_file", &access.apiKeysFile)
            if var jwt = access.jwt {
                visit("access.jwt.jwks_file", &jwt.keysFile)
                visit("access.jwt.jwks_ca_file", &jwt.keysCAFile)
                access.jwt = jwt
            }
            if var redis = access.redis {
                visit("access.redis.password_file", &redis.passwordFile)
                access.redis = redis
            }
            self.access = access
        }
        if var redis = cache.redis {
            visit("cache.redis.password_file", &redis.passwordFile)
            cache.redis = redis
        }
        for (index, keyPath) in zip(pools.indices, poolPaths) {
            guard var tls = pools[index].tls else { continue }
            visit("\(keyPath).tls.ca_file", &tls.caFile)
            visit("\(keyPath).tls.certificate_file", &tls.certificateFile)
            visit("\(keyPath).tls.key_file", &tls.keyFile)
            pools[index].tls = tls
        }
    }
}

extension PolicyCheck {
    /// Every file that the policy names, with the keys that lead to its path.
    var files: [(keyPath: String, file: String)] {
        var files: [(keyPath: String, file: String)] = []
        var policy = policy
        policy.changeFiles(poolPaths: poolPaths) { keyPath, file in
            files.append((keyPath, file))
            return file
        }
        return files
    }
}
