import ArgumentParser

/// A target of `martlet bench`: `http://host:port`, `https://`, `grpc://`, `grpcs://`, or without a
/// scheme.
struct BenchAddress: Sendable, Hashable, ExpressibleByArgument, CustomStringConvertible {
    /// Where it listens.
    let network: NetworkAddress
    /// Whether it speaks TLS.
    let speaksTLS: Bool
    /// Whether the scheme is gRPC's.
    let isGRPC: Bool

    /// Reads a target; nil unless it has both a host and a port, or a scheme that has a usual one.
    init?(argument: String) {
        let schemes: [(String, Bool, Bool, Int?)] = [
            ("http://", false, false, 80), ("https://", true, false, 443),
            ("grpc://", false, true, nil), ("grpcs://", true, true, 443),
        ]
        let scheme = schemes.first { argument.hasPrefix($0.0) }
        var rest = argument.dropFirst(scheme?.0.count ?? 0)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.contains("/") else { return nil }
        speaksTLS = scheme?.1 ?? false
        isGRPC = scheme?.2 ?? false
        if let network = NetworkAddress(argument: String(rest)) {
            self.network = network
        } else if let port = scheme?.3,
            let network = NetworkAddress(argument: "\(rest):\(port)")
        {
            self.network = network
        } else {
            return nil
        }
    }

    /// The target as reports name it.
    var description: String { network.description }
}
