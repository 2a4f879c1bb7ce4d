import MartletCore
import MartletTensors

/// Takes the times of streamed answers: of the first token, and between tokens.
struct StreamClock {
    /// One stream that has begun.
    struct Stream {
        let start: UInt64
        var events = ServerSentEvents()
        var last: UInt64?
        var tokens = 0
    }

    private var streams: [Stream?] = []
    private var free: [Int] = []

    /// Begins a stream.
    ///
    /// - Returns: what it is known by.
    mutating func begin(_ start: UInt64) -> UInt64 {
        let stream = Stream(start: start)
        guard let place = free.popLast() else {
            streams.append(stream)
            return UInt64(streams.count - 1)
        }
        streams[place] = stream
        return UInt64(place)
    }

    /// When a stream began.
    func start(of token: UInt64) -> UInt64? {
        let place = Int(token)
        return streams.indices.contains(place) ? streams[place]?.start : nil
    }

    /// How long a token of a stream had to be waited for.
    enum TokenTime: Equatable {
        /// The first, since the request began.
        case first(UInt64)
        /// Another, since the one before.
        case next(UInt64)
    }

    /// Takes bytes of a stream.
    ///
    /// - Parameters:
    ///   - bytes: the bytes.
    ///   - token: which stream.
    ///   - now: when they came.
    /// - Returns: the times of the tokens in them.
    mutating func receive(
        _ bytes: [UInt8], for token: UInt64, at now: UInt64
    ) -> [TokenTime] {
        let place = Int(token)
        guard streams.indices.contains(place), var stream = streams[place] else { return [] }
        streams[place] = nil
        var times: [TokenTime] = []
        for event in stream.events.receive(bytes) where OpenAIEvent.hasToken(event) {
            stream.tokens += 1
            times.append(stream.last.map { .next(now - $0) } ?? .first(now - stream.start))
            stream.last = now
        }
        streams[place] = stream
        return times
    }

    /// Ends a stream.
    mutating func end(_ token: UInt64) -> Stream? {
        let place = Int(token)
        guard streams.indices.contains(place), let stream = streams[place] else { return nil }
        streams[place] = nil
        free.append(place)
        return stream
    }
}

/// What a streamed event of OpenAI's API carries.
enum OpenAIEvent {
    /// Whether the event has text of an answer.
    static func hasToken(_ event: [UInt8]) -> Bool {
        guard event.first == UInt8(ascii: "{"),
            case .object(let members)? = try? JSONValue(parsing: event, limits: Limits()),
            case .list(let choices)? = members.first(where: { $0.name == "choices" })?.value
        else { return false }
        return choices.contains { choice in
            guard case .object(let fields) = choice else { return false }
            return fields.contains { field in
                switch (field.name, field.value) {
                case ("text", .text(let text)): !text.isEmpty
                case ("delta", .object(let delta)): delta.contains(where: isText)
                default: false
                }
            }
        }
    }

    private static func isText(_ member: JSONValue.Member) -> Bool {
        // Models that think aloud stream that first, under a name of its own.
        guard member.name == "content" || member.name == "reasoning_content",
            case .text(let text) = member.value
        else { return false }
        return !text.isEmpty
    }
}
