import Foundation
import NIOCore

@testable import MartletTransport

/// A client's bytes against the core, and what both sides saw, as lines of text.
struct HTTP1Dialogue {
    var connection: HTTP1Connection
    /// Whether requests are answered as soon as they are complete, by their own content.
    var answers = true
    /// What the core told, contents as a whole.
    private(set) var events: [String] = []
    /// What it sent.
    private(set) var sent = ""
    private var body = ""

    init(limits: HTTP1Limits = HTTP1Limits()) {
        connection = HTTP1Connection(limits: limits)
    }

    /// Sends a text whose lines end with CR LF, in pieces.
    static func after(
        _ bytes: [UInt8], split: Int? = nil, limits: HTTP1Limits = HTTP1Limits()
    ) -> HTTP1Dialogue {
        var dialogue = HTTP1Dialogue(limits: limits)
        if let split {
            dialogue.receive(Array(bytes.prefix(split)))
            dialogue.receive(Array(bytes.dropFirst(split)))
        } else {
            dialogue.receive(bytes)
        }
        return dialogue
    }

    mutating func forget() {
        events = []
        sent = ""
    }

    mutating func receive(_ text: String) { receive(Array(text.utf8)) }

    mutating func receive(_ bytes: [UInt8]) {
        connection.receive(ByteBuffer(bytes: bytes))
        collect()
    }

    /// Answers the request that waits.
    mutating func answer(_ text: String = "", status: Int = 200) {
        connection.answer(HTTPResponse(status: status, body: Array(text.utf8)))
        collect()
    }

    mutating func collect() {
        repeat {
            while let event = connection.next() { take(event) }
            if let output = connection.takeOutput() { sent += String(buffer: output) }
        } while connection.hasOutput
    }

    private mutating func take(_ event: HTTP1Event) {
        switch event {
        case .head(let head, let isEnd):
            let query = head.query.isEmpty ? "" : "?" + head.query
            events.append("\(head.method) \(head.path)\(query)")
            body = ""
            if isEnd { finish() } else { connection.wantContent() }
        case .content(let bytes, let isEnd):
            body += String(buffer: bytes)
            if isEnd { finish() }
        case .failed(let fault):
            events.append("failed \(fault.status)")
            connection.refuse(fault.requestFault.httpResponse)
        }
    }

    private mutating func finish() {
        events.append("end '\(body)'")
        if answers { connection.answer(HTTPResponse(status: 200, body: Array(body.utf8))) }
    }

    /// The statuses of the answers.
    var statuses: [Int] {
        sent.components(separatedBy: "HTTP/1.1 ").dropFirst().compactMap { Int($0.prefix(3)) }
    }
}

/// The lines with CR LF at their ends, as they go over the wire.
func wire(_ lines: String..., body: String = "") -> String {
    (lines + ["", ""]).joined(separator: "\r\n") + body
}
