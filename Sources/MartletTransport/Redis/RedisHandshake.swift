/// What is said on a new connection before any command: who we are, and whether the server is well.
struct RedisHandshake {
    /// How far the handshake is.
    enum Step {
        /// More replies are to come.
        case unfinished
        /// Commands can be sent.
        case finished
        /// The server is of no use.
        case failed(RedisFailure)
    }

    /// What is to be sent, at once.
    let commands: [RedisCommand]
    private let server: RedisAddress
    private let hasPassword: Bool
    private var replies = 0

    init(_ configuration: RedisConfiguration, server: RedisAddress) {
        self.server = server
        var commands: [RedisCommand] = []
        let credentials = configuration.credentials
        hasPassword = credentials != nil
        if configuration.usesRESP3 {
            let auth = credentials.map { ["AUTH", $0.username ?? "default", $0.password] }
            commands.append(RedisHandshake.command(["HELLO", "3"] + (auth ?? [])))
        } else if let credentials {
            // Servers before Redis 6 know no users, and this command with a password alone.
            let user = credentials.username.map { [$0] } ?? []
            commands.append(RedisHandshake.command(["AUTH"] + user + [credentials.password]))
        }
        if configuration.database != 0, !configuration.isCluster {
            commands.append(RedisHandshake.command(["SELECT", String(configuration.database)]))
        }
        // A server that is loading its data accepts all of the above and says so only here.
        commands.append(RedisHandshake.command(["PING"]))
        self.commands = commands
    }

    /// Takes the next reply.
    mutating func receive(_ reply: RedisReply) -> Step {
        if case .error(let text) = reply {
            let code: RedisFailure.Code =
                RedisErrorReply(text, from: server) == .unavailable ? .unavailable : .refused
            // Some servers repeat what they do not understand, the password with it.
            let error = hasPassword ? String(text.prefix { $0 != " " }) : text
            return .failed(RedisFailure(code, server, said: error))
        }
        replies += 1
        return replies < commands.count ? .unfinished : .finished
    }

    private static func command(_ words: [String]) -> RedisCommand {
        RedisCommand(words.map { Array($0.utf8) }, keys: 0..<0)
    }
}
