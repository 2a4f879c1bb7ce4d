import NIOCore

/// A command of Redis: its name, its arguments, and where among them its keys stand.
///
/// Only commands that answer once and leave the connection as it is can be sent: a connection is
/// shared, so nothing that subscribes, blocks, begins a transaction or changes the user.
public struct RedisCommand: Sendable, Hashable {
    /// The name and what follows it.
    public let arguments: [[UInt8]]

    /// The positions of the keys, in a row; empty for a command that any server can answer.
    ///
    /// In a cluster all keys have to belong to one slot.
    public let keys: Range<Int>

    /// The script whose digest stands in the arguments; its source follows if a server lacks it.
    let script: RedisScript?

    /// Creates a command.
    ///
    /// - Parameters:
    ///   - arguments: the name and what follows it.
    ///   - keys: the positions of keys among them; what lies outside is no key.
    public init(_ arguments: [[UInt8]], keys: Range<Int> = 1..<2) {
        self.init(arguments, keys: keys, script: nil)
    }

    /// Creates a command about one key, such as `GET`, that stands behind the name.
    public init(_ name: String, key: [UInt8], _ arguments: [UInt8]...) {
        self.init([Array(name.utf8), key] + arguments, keys: 1..<2, script: nil)
    }

    /// Creates a command about no key, such as `PING`, which any server may get.
    public init(_ name: String, _ arguments: String...) {
        self.init(
            ([name] + arguments).map { Array($0.utf8) }, keys: 0..<0, script: nil)
    }

    /// Creates a command that runs a script: `EVALSHA`, and `EVAL` on a server that lacks it.
    public init(_ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]] = []) {
        let head = ["EVALSHA", script.digest, String(keys.count)].map { Array($0.utf8) }
        self.init(head + keys + arguments, keys: 3..<(3 + keys.count), script: script)
    }

    private init(_ arguments: [[UInt8]], keys: Range<Int>, script: RedisScript?) {
        self.arguments = arguments
        self.keys = keys.clamped(to: arguments.indices)
        self.script = script
    }
}

/// A script that Redis runs by itself, in Lua.
public struct RedisScript: Sendable, Hashable {
    /// The source.
    public let source: String

    /// The SHA-1 of the source in hexadecimal digits, by which servers know it.
    public let digest: String

    /// Names a script.
    public init(_ source: String) {
        self.source = source
        digest = SHA1.hexadecimal(of: Array(source.utf8))
    }
}

extension RedisCommand {
    /// The same with the script's source in place of its digest; nil for what is no script.
    var withSource: RedisCommand? {
        guard let script, arguments.count >= 2 else { return nil }
        let head = ["EVAL", script.source].map { Array($0.utf8) }
        return RedisCommand(head + arguments[2...], keys: keys, script: nil)
    }

    /// The bytes that it takes on the wire, or a few more.
    var wireBytesMax: Int {
        // A length has twenty digits at most.
        arguments.reduce(24) { $0 + $1.count + 24 }
    }

    /// The slot of its keys; nil without any.
    ///
    /// - Throws: `RedisFailure` when they belong to several.
    func slot() throws(RedisFailure) -> Int? {
        var slot: Int?
        for key in arguments[keys] {
            let next = RedisSlot.of(key)
            guard slot == nil || slot == next else {
                throw RedisFailure(
                    .invalidCommand, "The keys of a command belong to different slots")
            }
            slot = next
        }
        return slot
    }

    /// Refuses what would bring commands and replies of the connection out of step.
    func check() throws(RedisFailure) {
        guard let name = arguments.first, !name.isEmpty else {
            throw RedisFailure(.invalidCommand, "A command has no name")
        }
        // Longer ones are none of those below.
        guard name.count <= 15 else { return }
        let text = String(decoding: name, as: UTF8.self).uppercased()
        guard !RedisCommand.unshared.contains(text) else {
            throw RedisFailure(.invalidCommand, "\(text) needs a connection of its own")
        }
    }

    private static let unshared: Set<String> = [
        "ASKING", "AUTH", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX",
        "BZPOPMIN", "CLIENT", "DISCARD", "EXEC", "HELLO", "MONITOR", "MULTI", "PSUBSCRIBE", "PSYNC",
        "PUNSUBSCRIBE", "QUIT", "READONLY", "READWRITE", "RESET", "SELECT", "SHUTDOWN",
        "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "SYNC", "UNSUBSCRIBE", "UNWATCH", "WAIT",
        "WAITAOF", "WATCH",
    ]

    /// Puts the command on the wire: an array of strings.
    func write(to buffer: inout ByteBuffer) {
        buffer.writeString("*\(arguments.count)\r\n")
        for argument in arguments {
            buffer.writeString("$\(argument.count)\r\n")
            buffer.writeBytes(argument)
            buffer.writeString("\r\n")
        }
    }
}
