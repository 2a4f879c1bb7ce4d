import MartletConfiguration

extension TrafficPolicy {
    /// TLS towards clients.
    struct ListenerTLS: Sendable, Equatable {
        /// The oldest version of TLS that is spoken.
        enum Version: String, Sendable, CaseIterable {
            case tls12 = "tls1.2"
            case tls13 = "tls1.3"
        }

        /// Whether clients show certificates.
        enum ClientCertificates: String, Sendable, CaseIterable {
            case none
            case optional
            case required
        }

        var certificateFile: String
        var keyFile: String
        var minimumVersion = Keys.minimumVersion.standard
        var clientCertificates = Keys.clientCertificates.standard
        var clientCAFile: String?
        var revocationFile: String?

        enum Keys {
            static let certificateFile = ConfigurationKey(
                "certificate_file", PolicyText.file, isRequired: true,
                "The gateway's certificate in PEM's format, and behind it those between it and "
                    + "the root. Read again when it changes.")
            static let keyFile = ConfigurationKey(
                "key_file", PolicyText.file, isRequired: true,
                "Private key of the certificate, unencrypted.")
            static let minimumVersion = ConfigurationKey<Version>(
                "minimum_version", .word(), default: .tls13,
                "The oldest version of TLS that is spoken.")
            static let clientCertificates = ConfigurationKey<ClientCertificates>(
                "client_certificates", .word(), default: ClientCertificates.none,
                "Whether clients show a certificate of one of the authorities in "
                    + "`client_ca_file`: `optional` serves those without one, too, and `required` "
                    + "turns them away. Whom it speaks for is said by `certificates` in the file "
                    + "of `access.api_keys_file`.")
            static let clientCAFile = ConfigurationKey(
                "client_ca_file", PolicyText.file, "Authorities that sign clients' certificates.")
            static let revocationFile = ConfigurationKey(
                "revocation_file", PolicyText.file,
                "Lists of certificates that are revoked, in the format of PEM or DER, each "
                    + "signed by one of the authorities in `client_ca_file`: who shows one of "
                    + "these is turned away. Read again when it changes.")
        }
    }

    /// TLS towards nodes.
    struct UpstreamTLS: Sendable, Equatable {
        var caFile: String?
        var certificateFile: String?
        var keyFile: String?
        var serverName: String?

        enum Keys {
            static let caFile = ConfigurationKey(
                "ca_file", PolicyText.file,
                "Authorities that sign the nodes' certificates; those that the system trusts "
                    + "unless named.")
            static let certificateFile = ConfigurationKey(
                "certificate_file", PolicyText.file,
                "Certificate that the gateway shows to nodes, in PEM's format.")
            static let keyFile = ConfigurationKey(
                "key_file", PolicyText.file, "Private key of that certificate, unencrypted.")
            static let serverName = ConfigurationKey(
                "server_name", PolicyText.dnsName,
                "Name that the nodes' certificates are for; the endpoint's host unless given.")
        }
    }
}

extension TrafficPolicy.ListenerTLS: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "tls", "TLS towards clients.",
        keys: [
            Keys.certificateFile, Keys.keyFile, Keys.minimumVersion, Keys.clientCertificates,
            Keys.clientCAFile, Keys.revocationFile,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let certificateFile = section.read(Keys.certificateFile, &problems)
        let keyFile = section.read(Keys.keyFile, &problems)
        minimumVersion = section.read(Keys.minimumVersion, &problems)
        clientCertificates = section.read(Keys.clientCertificates, &problems)
        clientCAFile = section.read(Keys.clientCAFile, &problems)
        revocationFile = section.read(Keys.revocationFile, &problems)
        guard let certificateFile, let keyFile else { return nil }
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}

extension TrafficPolicy.UpstreamTLS: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "pool_tls", "TLS towards the nodes of a pool.",
        keys: [Keys.caFile, Keys.certificateFile, Keys.keyFile, Keys.serverName])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        caFile = section.read(Keys.caFile, &problems)
        certificateFile = section.read(Keys.certificateFile, &problems)
        keyFile = section.read(Keys.keyFile, &problems)
        serverName = section.read(Keys.serverName, &problems)
    }
}
