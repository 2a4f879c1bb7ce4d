import NIOCore

/// The most that one reply may be; what goes beyond ends the connection.
struct RedisReplyLimits: Sendable, Hashable {
    /// Bytes of a reply, each element counted as ``elementBytes`` more.
    var bytesMax = 16 << 20
    /// Arrays, sets and maps within each other.
    var depthMax = 8
    /// Bytes of a line: a status, an error, a number or a length.
    var lineBytesMax = 64 << 10

    /// What an element costs in memory beside its bytes, about.
    static let elementBytes = 64
}

/// Bytes that are no reply, or one beyond the limits; the connection is of no use any more.
struct RedisProtocolFault: Error, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Finds replies in bytes that come in pieces.
///
/// It goes over each byte once, however they are cut, and takes memory for what has come, never for
/// what a length announces. Source: the specification of RESP2 and RESP3 (redis.io); streamed
/// strings and aggregates, which no server sends, are refused.
struct RedisReplyReader {
    private let limits: RedisReplyLimits
    private var buffer = ByteBuffer()
    /// Bytes of the line at the front that are known to hold no end of line.
    private var scanned = 0
    /// A string whose length was read and whose bytes are awaited.
    private var announced: (kind: RedisReplyKind, count: Int)?
    /// Aggregates that lack elements, the outermost first.
    private var open: [RedisOpenAggregate] = []
    private var cost = 0
    private var fault: RedisProtocolFault?

    init(limits: RedisReplyLimits = RedisReplyLimits()) {
        self.limits = limits
    }

    /// Takes the next bytes.
    mutating func receive(_ bytes: ByteBuffer) {
        guard fault == nil else { return }
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next complete reply; nil until more bytes come.
    ///
    /// - Throws: what is wrong with the bytes; from then on always.
    mutating func next() throws(RedisProtocolFault) -> RedisReply? {
        if let fault { throw fault }
        do throws(RedisProtocolFault) {
            while let item = try nextItem() {
                guard let reply = place(item) else { continue }
                cost = 0
                return reply
            }
            return nil
        } catch {
            fault = error
            buffer.clear()
            open = []
            throw error
        }
    }

    /// A value without elements, or nil in it where an aggregate was opened.
    private struct Item { let reply: RedisReply? }

    private mutating func nextItem() throws(RedisProtocolFault) -> Item? {
        if let (kind, count) = announced {
            guard let reply = try content(kind, count) else { return nil }
            announced = nil
            return Item(reply: reply)
        }
        guard let line = try nextLine() else { return nil }
        guard let first = line.first, let kind = RedisReplyKind(rawValue: first) else {
            throw RedisProtocolFault("A reply begins with no known type")
        }
        let rest = line.dropFirst()
        if kind.hasLength {
            guard let count = try RedisNumberText.length(rest, orNull: kind.mayBeNull) else {
                return Item(reply: .null)
            }
            try charge(count)
            announced = (kind, count)
            return try nextItem()
        }
        if kind.isAggregate {
            guard let count = try RedisNumberText.length(rest, orNull: kind.mayBeNull) else {
                return Item(reply: .null)
            }
            return Item(reply: try begin(kind, count))
        }
        return Item(reply: try kind.reply(line: rest))
    }

    /// The line at the front without its end.
    private mutating func nextLine() throws(RedisProtocolFault) -> ArraySlice<UInt8>? {
        let view = buffer.readableBytesView
        let begin = view.startIndex
        guard let end = view[(begin + scanned)...].firstIndex(of: UInt8(ascii: "\n")) else {
            scanned = view.count
            guard scanned <= limits.lineBytesMax else {
                throw RedisProtocolFault("A line is longer than \(limits.lineBytesMax) bytes")
            }
            return nil
        }
        let bytes = ArraySlice(view[begin..<end])
        scanned = 0
        buffer.moveReaderIndex(forwardBy: end - begin + 1)
        guard bytes.count <= limits.lineBytesMax else {
            throw RedisProtocolFault("A line is longer than \(limits.lineBytesMax) bytes")
        }
        guard bytes.last == UInt8(ascii: "\r"),
            !bytes.dropLast().contains(UInt8(ascii: "\r"))
        else { throw RedisProtocolFault("A line does not end by CR LF") }
        try charge(bytes.count)
        return bytes.dropLast()
    }

    /// The bytes of a string, once they and the end of line behind them have come.
    private mutating func content(
        _ kind: RedisReplyKind, _ count: Int
    ) throws(RedisProtocolFault) -> RedisReply? {
        guard buffer.readableBytes >= count + 2, let bytes = buffer.readBytes(length: count),
            let end = buffer.readBytes(length: 2)
        else { return nil }
        guard end == [UInt8(ascii: "\r"), UInt8(ascii: "\n")] else {
            throw RedisProtocolFault("A string is longer than its length says")
        }
        return try kind.reply(content: bytes)
    }

    /// Opens an aggregate; one without elements is complete at once.
    private mutating func begin(
        _ kind: RedisReplyKind, _ count: Int
    ) throws(RedisProtocolFault) -> RedisReply? {
        guard open.count < limits.depthMax else {
            throw RedisProtocolFault("A reply is nested deeper than \(limits.depthMax)")
        }
        let (elements, overflows) = count.multipliedReportingOverflow(by: kind.elementsEach)
        let (bytes, overflowsToo) = elements.multipliedReportingOverflow(
            by: RedisReplyLimits.elementBytes)
        guard !overflows, !overflowsToo else { throw tooLarge }
        try charge(bytes)
        let aggregate = RedisOpenAggregate(kind: kind, missing: elements)
        if elements == 0, let reply = aggregate.reply { return reply }
        // An attribute without elements is over as well, and stands for nothing.
        if elements > 0 { open.append(aggregate) }
        return nil
    }

    private mutating func charge(_ bytes: Int) throws(RedisProtocolFault) {
        let (sum, overflows) = cost.addingReportingOverflow(bytes)
        guard !overflows, sum <= limits.bytesMax else { throw tooLarge }
        cost = sum
    }

    private var tooLarge: RedisProtocolFault {
        RedisProtocolFault("A reply is larger than \(limits.bytesMax) bytes")
    }

    /// Puts a value where it belongs; the reply that it completes, if it does.
    private mutating func place(_ item: Item) -> RedisReply? {
        guard var value = item.reply else { return nil }
        while var aggregate = open.popLast() {
            aggregate.add(value)
            guard aggregate.missing == 0 else {
                open.append(aggregate)
                return nil
            }
            // What an attribute says of the value behind it is of no use here.
            guard let reply = aggregate.reply else { return nil }
            value = reply
        }
        return value
    }
}

/// An aggregate that lacks elements.
private struct RedisOpenAggregate {
    let kind: RedisReplyKind
    private(set) var missing: Int
    private var elements: [RedisReply] = []

    init(kind: RedisReplyKind, missing: Int) {
        self.kind = kind
        self.missing = missing
    }

    mutating func add(_ element: RedisReply) {
        elements.append(element)
        missing -= 1
    }

    /// The aggregate as a reply; nil for an attribute, which is none.
    var reply: RedisReply? {
        switch kind {
        case .set: .set(elements)
        case .push: .push(elements)
        case .attribute: nil
        case .map:
            .map(
                stride(from: 0, to: elements.count - 1, by: 2).map {
                    RedisReply.Pair(elements[$0], elements[$0 + 1])
                })
        default: .array(elements)
        }
    }
}
