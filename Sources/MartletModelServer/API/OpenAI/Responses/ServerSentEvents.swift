/// The frames of a stream of server-sent events (WHATWG HTML, section 9.2).
///
/// Each event is one line of JSON, which has no line breaks of its own once strings are escaped.
enum ServerSentEvents {
    /// The value of the field `content-type`.
    static let contentType = "text/event-stream"

    /// What stands before an event's JSON.
    static let opening = "data: "

    /// What ends an event.
    static let ending = "\n\n"

    /// The event that ends a stream of OpenAI's API.
    static let done = [UInt8]("data: [DONE]\n\n".utf8)

    /// An event with `json`, which must be on one line.
    static func event(_ json: [UInt8]) -> [UInt8] {
        [UInt8](opening.utf8) + json + [UInt8](ending.utf8)
    }
}
