import MartletConfiguration

extension TrafficPolicy {
    /// Where clients reach the gateway.
    struct Listen: Sendable, Equatable {
        var host = Keys.host.standard
        var port = Keys.port.standard

        enum Keys {
            static let host = ConfigurationKey(
                "host", PolicyText.listenHost, default: "127.0.0.1", needsRestart: true,
                "Address or name to listen on; `0.0.0.0` for all IPv4 addresses.")
            static let port = ConfigurationKey(
                "port", .integer(0...65535), default: 8080, needsRestart: true,
                "Port, 0 being any free one.")
        }
    }

    /// Where operators reach the gateway: metrics, health, status, reload.
    struct Admin: Sendable, Equatable {
        var host = Keys.host.standard
        var port = Keys.port.standard
        var tokenFile: String?

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
        "listen", "Where clients reach the gateway.", keys: [Keys.host, Keys.port])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        host = section.read(Keys.host, &problems)
        port = section.read(Keys.port, &problems)
    }
}

extension TrafficPolicy.Admin: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "admin", "Where operators reach the gateway, on a port of its own.",
        keys: [Keys.host, Keys.port, Keys.tokenFile])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        host = section.read(Keys.host, &problems)
        port = section.read(Keys.port, &problems)
        tokenFile = section.read(Keys.tokenFile, &problems)
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
