import MartletConfiguration

/// Checks credentials that were read for what no section can tell alone.
struct CredentialsCheck {
    private let credentials: Credentials
    private let isReadable: (String) -> Bool

    init(_ credentials: Credentials, isReadable: @escaping (String) -> Bool) {
        self.credentials = credentials
        self.isReadable = isReadable
    }

    /// Notes all that is wrong.
    func run(_ problems: inout ConfigurationProblems) {
        checkUnique(credentials.tenants.map(\.name), "tenants", key: "name", &problems)
        checkUnique(credentials.keys.map(\.id), "keys", key: "id", &problems)
        checkUnique(credentials.keys.map(\.digest.hex), "keys", key: "sha256", &problems)
        checkUnique(credentials.certificates.map(\.name), "certificates", key: "name", &problems)
        checkUnique(credentials.issuers.map(\.name), "issuers", key: "name", &problems)
        checkUnique(credentials.issuers.map(\.issuer), "issuers", key: "issuer", &problems)
        checkTenants(credentials.keys.map(\.tenant), "keys", &problems)
        checkTenants(credentials.certificates.map(\.tenant), "certificates", &problems)
        checkFiles(&problems)
    }

    private func checkUnique(
        _ values: [String], _ list: String, key: String, _ problems: inout ConfigurationProblems
    ) {
        var first: [String: String] = [:]
        for (value, keyPath) in zip(values, problems.keyPaths(of: list, count: values.count)) {
            guard let earlier = first[value] else {
                first[value] = keyPath
                continue
            }
            let line = problems.line(of: earlier).map { " at line \($0)" } ?? ""
            problems.add(
                at: "\(keyPath).\(key)", "is already that of \(earlier)\(line); choose another")
        }
    }

    private func checkTenants(
        _ tenants: [String], _ list: String, _ problems: inout ConfigurationProblems
    ) {
        // Some of a list with mistakes are not known by name.
        guard !credentials.tenants.isEmpty, !problems.hasDropped(from: "tenants") else { return }
        let known = credentials.tenants.map(\.name)
        let isKnown = Set(known)
        let keyPaths = problems.keyPaths(of: list, count: tenants.count)
        for (tenant, keyPath) in zip(tenants, keyPaths) where !isKnown.contains(tenant) {
            let nearest = nearestMatch(to: tenant, among: Array(known.prefix(1000)))
            let remedy = nearest.map { "did you mean '\($0)'?" } ?? "add it to 'tenants'"
            problems.add(at: "\(keyPath).tenant", "there is no tenant '\(tenant)'; \(remedy)")
        }
    }

    private func checkFiles(_ problems: inout ConfigurationProblems) {
        let keyPaths = problems.keyPaths(of: "issuers", count: credentials.issuers.count)
        for (issuer, keyPath) in zip(credentials.issuers, keyPaths) {
            for (key, file) in [
                ("jwks_file", issuer.keysFile), ("jwks_ca_file", issuer.keysCAFile),
            ] {
                guard let file, !isReadable(file) else { continue }
                problems.add(
                    at: "\(keyPath).\(key)",
                    "there is no file at '\(file)' that can be read; create it or correct the "
                        + "path, which is relative to the file of credentials")
            }
        }
    }
}
