import Testing

@testable import MartletTransport

/// A situation that RFC 9110 or RFC 9112 decides, and how it has to end.
struct HTTP1ConformanceCase: Sendable, CustomTestStringConvertible {
    enum Ending: Sendable, Hashable {
        /// One answer with this status, and the connection ends.
        case refused(Int)
        /// These events; the connection goes on.
        case taken([String])
        /// These events; the connection ends with the last answer.
        case last([String])
    }

    let section: String
    let situation: String
    let bytes: [UInt8]
    let ending: Ending

    init(_ section: String, _ situation: String, _ text: String, _ ending: Ending) {
        self.init(section, situation, Array(text.utf8), ending)
    }

    init(_ section: String, _ situation: String, _ bytes: [UInt8], _ ending: Ending) {
        self.section = section
        self.situation = situation
        self.bytes = bytes
        self.ending = ending
    }

    var testDescription: String { "\(section): \(situation)" }

    /// A request that a client smuggles in, for those who read the bytes in front in another way.
    static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

    /// What is wrong, if anything.
    ///
    /// - Parameter split: where the bytes are cut in two.
    /// - Returns: what the connection did instead.
    func failure(split: Int? = nil) -> String? {
        let dialogue = HTTP1Dialogue.after(
            bytes + Array(HTTP1ConformanceCase.smuggled.utf8), split: split)
        let events = dialogue.events
        let isEnded = dialogue.connection.isClosing
        let isRight =
            switch ending {
            case .refused(let status):
                dialogue.statuses.filter { $0 != 100 } == [status] && isEnded
                    && events.last == "failed \(status)"
            case .taken(let expected):
                events == expected + ["GET /smuggled", "end ''"] && !isEnded
            case .last(let expected): events == expected && isEnded
            }
        return isRight ? nil : "told \(events), sent \(dialogue.sent)"
    }
}
