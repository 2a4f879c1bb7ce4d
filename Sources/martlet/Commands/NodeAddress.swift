import ArgumentParser

/// The address of a node as command lines name it: `host:port`, with `https://` before it if the
/// node speaks TLS.
struct NodeAddress: Sendable, Hashable, ExpressibleByArgument, CustomStringConvertible {
    /// Where it listens.
    var network: NetworkAddress
    /// Whether it speaks TLS.
    var speaksTLS = false

    /// Creates an address.
    init(network: NetworkAddress, speaksTLS: Bool = false) {
        self.network = network
        self.speaksTLS = speaksTLS
    }

    /// Reads an address; nil unless it has both a host and a port.
    init?(argument: String) {
        speaksTLS = argument.hasPrefix("https://")
        var rest = argument[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            break
        }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let network = NetworkAddress(argument: String(rest)) else { return nil }
        self.network = network
    }

    /// The address as command lines name it.
    var description: String { (speaksTLS ? "https://" : "") + network.description }
}
