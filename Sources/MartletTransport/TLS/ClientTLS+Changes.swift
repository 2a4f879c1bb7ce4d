extension ClientTLS {
    /// Reads and checks certificates and keys, and keeps nothing of them.
    ///
    /// - Throws: `ServingError` that names the file and what is wrong with it.
    public func check() throws { _ = try load() }

    /// A number that tells whether what its files hold has changed, without keeping that.
    ///
    /// - Throws: `ServingError` for a file that cannot be read.
    public func fingerprint() throws -> Int {
        var hasher = Hasher()
        for (source, role) in [
            (authorities, "authority file"), (identity?.certificateChain, "certificate file"),
            (identity?.privateKey, "key file"),
        ] {
            hasher.combine(try source?.load(role))
        }
        return hasher.finalize()
    }
}
