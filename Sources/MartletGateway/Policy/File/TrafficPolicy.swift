public import MartletConfiguration

/// What the gateway does with which request: the content of `gateway.yaml`, checked.
///
/// These are plain values. Nothing here opens a socket, a file or a clock; balancing, health,
/// caching and the rest are done by others, as these values say. What a value means stands with its
/// key, and in the reference.
public struct TrafficPolicy: Sendable, Equatable {
    /// The name of the pool that `endpoints` makes.
    static let defaultPool = "default"

    var listen = Listen()
    var admin = Admin()
    var locality = Locality()
    /// All pools; the one that `endpoints` makes is the first.
    var pools: [Pool] = []
    /// All routes, in the order in which they are tried; without any in the file, one that sends
    /// everything to the only pool.
    var routes: [Route] = []
    var tls: ListenerTLS?
    var access: Access?
    var cache = Cache()

    enum Keys {
        static let listen = ConfigurationKey(
            "listen", .section(), default: Listen(), "Where clients reach the gateway.")
        static let admin = ConfigurationKey(
            "admin", .section(), default: Admin(), "Where operators reach the gateway.")
        static let tls = ConfigurationKey<ListenerTLS?>(
            "tls", .section(), "Encrypts what clients send; without it nothing is encrypted.")
        static let access = ConfigurationKey<Access?>(
            "access", .section(), "Who may send requests; without it everybody may.")
        static let locality = ConfigurationKey(
            "locality", .section(), default: Locality(), "Where this gateway stands.")
        static let endpoints = ConfigurationKey(
            "endpoints", .list(EndpointForm.form, count: 1...1024), default: [],
            "Short for a pool named `default` with these nodes and all else by default.")
        static let pools = ConfigurationKey<[Pool]>(
            "pools", .list(.section(), count: 0...256), default: [], "Pools of nodes.")
        static let routes = ConfigurationKey<[Route]>(
            "routes", .list(.section(), count: 0...1000), default: [],
            "Which requests go where; the first that matches is taken. Without any, everything "
                + "goes to the only pool.")
        static let cache = ConfigurationKey(
            "cache", .section(), default: Cache(),
            "Keeps answers of the routes that ask for it.")
    }
}

extension TrafficPolicy: ConfigurationReadable {
    /// The keys of the file.
    public static let description = ConfigurationSectionDescription(
        "gateway", "The traffic policy of a gateway.",
        keys: [
            Keys.listen, Keys.admin, Keys.tls, Keys.access, Keys.locality, Keys.endpoints,
            Keys.pools, Keys.routes, Keys.cache,
        ],
        rules: [.atLeastOneOrGiven(["endpoints", "pools"])])

    /// Reads the file, without the checks that look at more than one section.
    public init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        listen = section.read(Keys.listen, &problems)
        admin = section.read(Keys.admin, &problems)
        tls = section.read(Keys.tls, &problems)
        access = section.read(Keys.access, &problems)
        locality = section.read(Keys.locality, &problems)
        let endpoints = section.read(Keys.endpoints, &problems)
        if !endpoints.isEmpty {
            pools.append(Pool(name: Self.defaultPool, endpoints: endpoints))
        }
        pools += section.read(Keys.pools, &problems)
        routes = section.read(Keys.routes, &problems)
        cache = section.read(Keys.cache, &problems)
        if section["routes"] == nil, let pool = pools.first, pools.count == 1 {
            routes = [Route(name: Self.defaultPool, pool: pool.name)]
        }
    }
}
