/// What a server's error asks a client to do.
enum RedisErrorReply: Equatable {
    /// The slot belongs to another server, from now on.
    case moved(slot: Int, to: RedisAddress)
    /// This command goes to another server, behind `ASKING`: its slot is on the way there.
    case ask(slot: Int, to: RedisAddress)
    /// The server does not know the script.
    case noScript
    /// Some of the keys are on the way to another server.
    case tryAgain
    /// The server cannot serve now.
    case unavailable
    /// No, and it would be no the next time as well.
    case refused

    /// Reads an error.
    ///
    /// - Parameters:
    ///   - text: what the server said.
    ///   - server: who said it; a redirection without a host means its host.
    init(_ text: String, from server: RedisAddress) {
        let words = text.split(separator: " ", maxSplits: 3)
        switch words.first {
        case "MOVED", "ASK":
            guard words.count == 3, let slot = Int(words[1]), (0..<RedisSlot.count).contains(slot),
                let address = RedisAddress(words[2], from: server)
            else {
                self = .refused
                return
            }
            self =
                words[0] == "ASK" ? .ask(slot: slot, to: address) : .moved(slot: slot, to: address)
        case "NOSCRIPT": self = .noScript
        case "TRYAGAIN": self = .tryAgain
        // A replica that is asked to write was a master: its role is about to be known better.
        case "LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "BUSY": self = .unavailable
        default: self = .refused
        }
    }
}

extension RedisAddress {
    /// The address in a redirection, `host:port`.
    ///
    /// The port stands behind the last colon, as an address of IPv6 has colons of its own. A server
    /// that does not know its host leaves it away.
    init?(_ text: Substring, from server: RedisAddress) {
        guard let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...])
        else { return nil }
        self.init(host: String(text[..<colon]), port: port, from: server)
    }

    /// An address that a server names; nil if nobody can be reached by it.
    init?(host: String, port: Int, from server: RedisAddress) {
        guard (1...65535).contains(port), host.utf8.count <= 255, host != "?" else { return nil }
        self.init(host: host.isEmpty ? server.host : host, port: port)
    }
}

extension RedisReply {
    /// Whether this is the word of a server that cannot serve now.
    func meansUnavailable(from server: RedisAddress) -> Bool {
        guard case .error(let text) = self else { return false }
        return RedisErrorReply(text, from: server) == .unavailable
    }
}
