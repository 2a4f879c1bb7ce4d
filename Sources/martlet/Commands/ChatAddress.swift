import ArgumentParser

/// Where `martlet chat` finds OpenAI's API: `http://host:port` or `https://`, with `/v1` behind it
/// or without.
struct ChatAddress: Sendable, Hashable, ExpressibleByArgument, CustomStringConvertible {
    /// Where it listens.
    let network: NetworkAddress
    /// Whether it speaks TLS.
    let speaksTLS: Bool

    init(network: NetworkAddress) {
        self.network = network
        speaksTLS = false
    }

    /// Reads an address; nil unless it has both a host and a port, or a scheme that has a usual
    /// one.
    init?(argument: String) {
        var text = argument[...]
        if text.hasSuffix("/") { text = text.dropLast() }
        if text.hasSuffix("/v1") { text = text.dropLast(3) }
        guard let address = BenchAddress(argument: String(text)), !address.isGRPC else {
            return nil
        }
        network = address.network
        speaksTLS = address.speaksTLS
    }

    /// The address as command lines name it.
    var description: String { (speaksTLS ? "https://" : "http://") + network.description }
}
