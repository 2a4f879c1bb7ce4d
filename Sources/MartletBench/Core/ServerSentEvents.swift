/// Takes a stream of server-sent events apart (the HTML standard's `text/event-stream`): bytes in,
/// the data of whole events out.
public struct ServerSentEvents: Sendable {
    /// Most bytes of an event.
    public static let bytesMax = 1 << 20

    private var line: [UInt8] = []
    private var data: [UInt8] = []
    private var hasData = false
    private var endedByReturn = false

    /// Whether an event was longer than any may be; nothing more is read.
    public private(set) var isTooLong = false

    /// Creates a reader at the start of a stream.
    public init() {}

    /// Takes bytes of the stream.
    ///
    /// - Returns: the data of the events that end in them.
    public mutating func receive(_ bytes: some Sequence<UInt8>) -> [[UInt8]] {
        var events: [[UInt8]] = []
        for byte in bytes where !isTooLong {
            let follows = endedByReturn
            endedByReturn = byte == UInt8(ascii: "\r")
            switch byte {
            case UInt8(ascii: "\n") where follows: break
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                if let event = endLine() { events.append(event) }
            default:
                line.append(byte)
                isTooLong = line.count + data.count > ServerSentEvents.bytesMax
            }
        }
        return events
    }

    /// Takes a line; an empty one ends an event.
    private mutating func endLine() -> [UInt8]? {
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else {
            defer {
                data.removeAll(keepingCapacity: true)
                hasData = false
            }
            return hasData ? data : nil
        }
        let name = line.prefix { $0 != UInt8(ascii: ":") }
        guard name.elementsEqual("data".utf8) else { return nil }
        var value = line.dropFirst(name.count + 1)
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        if hasData { data.append(UInt8(ascii: "\n")) }
        data += value
        hasData = true
        return nil
    }
}
