import Testing

@testable import MartletTransport

/// A situation that the protocol decides, and how it has to end.
struct ConformanceCase: Sendable, CustomTestStringConvertible {
    enum Ending: Sendable, Hashable {
        /// GOAWAY with this code.
        case connection(HTTP2Code)
        /// RST_STREAM of this stream with this code; the connection goes on.
        case stream(UInt32, HTTP2Code)
        /// These streams are answered; the connection goes on.
        case answered([UInt32])
        /// This line is sent; the connection goes on.
        case line(String)
        /// Nothing is sent; the connection goes on.
        case silence
    }

    let section: String
    let situation: String
    let settings: [(UInt16, UInt32)]
    let answers: Bool
    let bytes: ClientBytes
    let ending: Ending

    init(
        _ section: String, _ situation: String, _ bytes: ClientBytes, _ ending: Ending,
        settings: [(UInt16, UInt32)] = [], answers: Bool = true
    ) {
        self.section = section
        self.situation = situation
        self.bytes = bytes
        self.ending = ending
        self.settings = settings
        self.answers = answers
    }

    var testDescription: String { "\(section): \(situation)" }

    /// What is wrong, if anything.
    func failure(limits: HTTP2Limits = HTTP2Limits(), split: Int? = nil) -> String? {
        var dialogue = HTTP2Dialogue.begun(limits: limits, settings: settings)
        dialogue.answers = answers
        if let split {
            for start in stride(from: 0, to: bytes.bytes.count, by: split) {
                dialogue.receive(.raw(Array(bytes.bytes[start...].prefix(split))))
            }
        } else {
            dialogue.receive(bytes)
        }
        let sent = dialogue.sent
        let isRight =
            switch ending {
            case .connection(let code):
                sent.last?.hasPrefix("GOAWAY") == true && sent.last?.hasSuffix("\(code)") == true
                    && dialogue.connection.hasFailed
            case .stream(let stream, let code): sent.contains("RST_STREAM \(stream) \(code)")
            case .answered(let streams):
                streams.allSatisfy { stream in
                    sent.contains { $0.hasPrefix("HEADERS \(stream) ") }
                        && sent.contains { $0.hasPrefix("HEADERS \(stream) end") }
                            != sent.contains {
                                $0.hasPrefix("DATA \(stream) ") && $0.hasSuffix("end")
                            }
                }
            case .line(let line): sent.contains(line)
            case .silence: sent.isEmpty
            }
        guard isRight else { return "sent \(sent), told \(dialogue.events)" }
        if case .connection = ending { return nil }
        // Whatever ended, the connection has not.
        dialogue.forget()
        dialogue.answers = true
        dialogue.receive([.ping(99), .get(4001)])
        guard dialogue.sent.contains("PING ack 99"),
            dialogue.sent.contains("HEADERS 4001 end :status=200")
        else { return "the connection went on with \(dialogue.sent)" }
        return nil
    }
}
