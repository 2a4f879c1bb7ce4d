import MartletConfiguration

extension TrafficPolicy {
    /// Where clients reach the gateway.
    struct Listen: Sendable, Equatable {
        var host = Keys.host.standard
        var port = Keys.port.standard
        var reusePort = Keys.reusePort.standard

        enum Keys {
            static let host = ConfigurationKey(
                "host", PolicyText.listenHost, default: "127.0.0.1", needsRestart: true,
                "Address or name to listen on; `0.0.0.0` for all IPv4 addresses.")
            static let port = ConfigurationKey(
                "port", .integer(0...65535), default: 8080, needsRestart: true,
                "Port, 0 being any free one.")
            static let reusePort = ConfigurationKey(
                "reuse_port", .boolean, default: false, needsRestart: true,
                "Whether each event loop has a socket of its own for the port (`SO_REUSEPORT`): "
                    + "the kernel then spreads connections by chance, where one socket deals them "
                    + "out evenly, and another gateway of the same user can take the port, too.")
        }
    }

    /// Where operators reach the gateway: metrics, health, status, reload.
    struct Admin: Sendable, Equatable {
        /// Who may read what monitoring does not ask for.
        enum Reads: String, Sendable, CaseIterable {
            case open
            case token
        }

        var host = Keys.host.standard
        var port = Keys.port.standard
        var hosts: [String] = []
        var tokenFile: String?
        var reads: Reads?

        enum Keys {
            static let host = ConfigurationKey(
                "host", PolicyText.listenHost, default: "127.0.0.1", needsRestart: true,
                "Address or name to listen on.")
            static let port = ConfigurationKey(
                "port", .integer(0...65535), default: 8081, needsRestart: true,
                "Port, 0 being any free one.")
            static let tokenFile = ConfigurationKey(
                "token_file", PolicyText.file,
                "File with the bearer token that operators send; without it only what reads is "
                    + "answered beyond the loopback interface.")
            static let hosts = ConfigurationKey(
                "hosts", .list(PolicyText.dnsName, count: 1...256), default: [],
                needsRestart: true,
                "Names by which programs call this port, besides `host`, `localhost` and, unless "
                    + "it is on the loopback interface, any IP address. Others are refused but "
                    + "for `/metrics` and `/healthz/...`.")
            static let reads = ConfigurationKey<Reads?>(
                "reads", .word(), needsRestart: true,
                "With a `token_file`: whether `/v1/...` is read by anybody or with the token; "
                    + "`open` on the loopback interface and `token` beyond it unless given. "
                    + "`/metrics` and `/healthz/...` are always open.")
        }
    }

    /// Where something stands.
    struct Locality: Sendable, Equatable {
        var region: String?
        var zone: String?

        enum Keys {
            static let region = ConfigurationKey("region", PolicyText.name, "The region.")
            static let zone = ConfigurationKey(
                "zone", PolicyText.name, "The zone within the region.")
        }
    }
}

extension TrafficPolicy.Listen: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "listen", "Where clients reach the gateway.", keys: [Keys.host, Keys.port, Keys.reusePort])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        host = section.read(Keys.host, &problems)
        port = section.read(Keys.port, &problems)
        reusePort = section.read(Keys.reusePort, &problems)
    }
}

extension TrafficPolicy.Admin: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "admin", "Where operators reach the gateway, on a port of its own.",
        keys: [Keys.host, Keys.port, Keys.hosts, Keys.tokenFile, Keys.reads])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        host = section.read(Keys.host, &problems)
        port = section.read(Keys.port, &problems)
        hosts = section.read(Keys.hosts, &problems)
        tokenFile = section.read(Keys.tokenFile, &problems)
        reads = section.read(Keys.reads, &problems)
    }
}

extension TrafficPolicy.Locality: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "locality", "Where this gateway stands, for pools that prefer what is near.",
        keys: [Keys.region, Keys.zone])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        region = section.read(Keys.region, &problems)
        zone = section.read(Keys.zone, &problems)
    }
}
