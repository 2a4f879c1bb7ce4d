import MartletCore

/// Unary gRPC calls as they go over the wire: the header fields that all share, and a message each.
struct GRPCLoadCalls: Sendable {
    /// The header fields, as a connection's first and its later requests carry them.
    let blocks: RequestBlocks

    /// Messages behind their prefixes.
    let messages: [[UInt8]]

    /// Puts the calls of a target into bytes.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for calls that differ in more than the
    ///   message, and for what cannot be sent.
    init(_ target: LoadTarget) throws {
        guard let first = target.requests.first else {
            throw ServingError.invalidArgument("There is nothing to be sent")
        }
        guard target.requests.allSatisfy({ $0.path == first.path }) else {
            throw ServingError.invalidArgument("All calls of a load have to be of one method")
        }
        var fields = [
            (":method", "POST"), (":scheme", target.isEncrypted ? "https" : "http"),
            (":path", first.path), (":authority", target.authority),
            ("content-type", GRPCFields.contentType), ("te", "trailers"),
            ("user-agent", "martlet-bench"), ("grpc-timeout", GRPCFields.text(target.timeout)),
        ]
        for field in first.headers.fields {
            try HTTP1LoadRequest.check(name: field.name, value: field.value)
            fields.append((field.name.lowercased(), field.value))
        }
        blocks = RequestBlocks(fields)
        messages = try target.requests.map { request in
            guard let count = UInt32(exactly: request.body.count) else {
                throw ServingError.invalidArgument("The message is larger than gRPC allows")
            }
            let prefix = [0] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) }
            return prefix + request.body
        }
    }
}

/// The header block of requests that are all alike (RFC 7541).
///
/// A connection's first request adds the fields to the server's table; later ones only name their
/// places there. Where the server keeps no table, every request spells them out.
struct RequestBlocks: Sendable {
    /// The block of a connection's first request.
    let first: [UInt8]

    /// The block of all others.
    let later: [UInt8]

    /// The block of each request where the server's table is too small.
    let literal: [UInt8]

    /// What the server's table has to hold for ``first`` and ``later``.
    let tableBytes: Int

    init(_ fields: [(String, String)]) {
        var (first, later, literal): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
        var tableBytes = 0
        var added = 0
        let toAdd = fields.filter { RequestBlocks.whole($0.0, $0.1) == nil }.count
        for (name, value) in fields {
            if let index = RequestBlocks.whole(name, value) {
                first.append(0x80 | index)
                later.append(0x80 | index)
                literal.append(0x80 | index)
                continue
            }
            RequestBlocks.append(name, value, prefix: 6, mark: 0x40, to: &first)
            RequestBlocks.append(name, value, prefix: 4, mark: 0, to: &literal)
            // The one added last has the lowest place of those behind the static table.
            added += 1
            RequestBlocks.append(62 + toAdd - added, prefix: 7, mark: 0x80, to: &later)
            tableBytes += name.utf8.count + value.utf8.count + 32
        }
        self.first = first
        self.later = later
        self.literal = literal
        self.tableBytes = tableBytes
    }

    private static func append(
        _ name: String, _ value: String, prefix: Int, mark: UInt8, to block: inout [UInt8]
    ) {
        if let index = staticName(name) {
            append(index, prefix: prefix, mark: mark, to: &block)
        } else {
            block.append(mark)
            append(name.utf8.count, prefix: 7, mark: 0, to: &block)
            block += Array(name.utf8)
        }
        append(value.utf8.count, prefix: 7, mark: 0, to: &block)
        block += Array(value.utf8)
    }

    private static func append(
        _ value: Int, prefix: Int, mark: UInt8, to block: inout [UInt8]
    ) {
        let most = (1 << prefix) - 1
        guard value >= most else {
            block.append(mark | UInt8(truncatingIfNeeded: value))
            return
        }
        block.append(mark | UInt8(truncatingIfNeeded: most))
        var rest = value - most
        while rest >= 0x80 {
            block.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        block.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Fields that the static table has as a whole (appendix A).
    private static func whole(_ name: String, _ value: String) -> UInt8? {
        switch (name, value) {
        case (":method", "POST"): 3
        case (":scheme", "http"): 6
        case (":scheme", "https"): 7
        default: nil
        }
    }

    private static func staticName(_ name: String) -> Int? {
        switch name {
        case ":authority": 1
        case ":method": 2
        case ":path": 4
        case "authorization": 23
        case "content-type": 31
        case "user-agent": 58
        default: nil
        }
    }
}
