import Foundation
import MartletTelemetry

/// How the end of a request's body is found (RFC 9112, section 6.3).
enum HTTP1Framing: Equatable {
    case none
    case length(Int)
    case chunked
}

/// A request's head, checked and read once: clients send the same one again and again.
///
/// Its fields stay in the bytes in which they came until somebody asks for them.
final class HTTP1Head: HTTP1ReadableHead, Sendable {
    let bytes: [UInt8]

    let method: String
    let path: String
    let query: String
    let isHTTP10: Bool
    let framing: HTTP1Framing

    /// Whether the client means to send another request.
    let isKeepAlive: Bool

    /// Whether the client asks for another protocol on this connection (RFC 9110, section 7.8).
    let asksForUpgrade: Bool

    /// Whether it names its host, as all but some of HTTP/1.0 do.
    let hasHost: Bool

    /// Whether the client waits to hear that its body is wanted.
    let expectsContinue: Bool

    /// The values of `content-encoding`.
    let contentEncodings: [String]

    /// How long the client waits.
    let timeout: RequestTimeout

    /// In which form it asks for the server's load along with the answer; `nil` for not at all.
    let loadForm: LoadReport.Form?

    let fieldsStart: Int
    let connection: HTTP1ConnectionField

    init(_ draft: HTTP1HeadDraft, _ bytes: UnsafeRawBufferPointer) throws(HTTP1Fault) {
        let target = try draft.target(bytes)
        framing = try draft.framing()
        try draft.checkHost(bytes, authority: target.authority)
        method = HTTP1Head.method(bytes, draft.method)
        path = target.isServer ? "*" : target.path.isEmpty ? "/" : bytes.text(target.path)
        query = bytes.text(target.query)
        isHTTP10 = draft.isHTTP10
        connection = draft.persistence
        asksForUpgrade = draft.persistence.upgrades && draft.hasUpgrade && !draft.isHTTP10
        hasHost = draft.hasHost
        isKeepAlive = !connection.closes && (!draft.isHTTP10 || connection.keepsAlive)
        // Those who know HTTP/1.0 alone know nothing of it (RFC 9110, section 10.1.1).
        expectsContinue = draft.expectsContinue && !draft.isHTTP10
        contentEncodings = draft.contentEncodings.map { bytes.text($0) }
        timeout = draft.timeout
        loadForm = draft.load.askedForm
        fieldsStart = draft.fieldsStart
        self.bytes = Array(bytes)
    }

    var isHead: Bool { method == "HEAD" }

    /// The usual methods need no memory of their own.
    private static func method(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
        switch range.count {
        case 3 where bytes[range].elementsEqual("GET".utf8): "GET"
        case 4 where bytes[range].elementsEqual("POST".utf8): "POST"
        default: bytes.text(range)
        }
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    // MARK: Fields

    /// The first value under `name`, upper and lower case alike.
    func first(_ name: String) -> String? {
        var name = name
        return name.withUTF8 { name in
            bytes.withUnsafeBytes { bytes in
                var position = fieldsStart
                while let field = HTTP1Head.field(bytes, at: &position) {
                    if HTTP1Head.isSame(bytes, field.name, name) { return bytes.text(field.value) }
                }
                return nil
            }
        }
    }

    /// All names and values, in order.
    var fields: [(name: String, value: String)] {
        bytes.withUnsafeBytes { bytes in
            var fields: [(name: String, value: String)] = []
            var position = fieldsStart
            while let field = HTTP1Head.field(bytes, at: &position) {
                fields.append((name: bytes.text(field.name), value: bytes.text(field.value)))
            }
            return fields
        }
    }

    /// The field at a place in a head that was checked, and the place of the next.
    static func field(
        _ bytes: UnsafeRawBufferPointer, at position: inout Int
    ) -> (name: Range<Int>, value: Range<Int>)? {
        guard let end = bytes.firstIndex(of: HTTP1Characters.lineFeed, from: position),
            let colon = bytes.firstIndex(of: HTTP1Characters.colon, from: position), colon < end
        else { return nil }
        defer { position = end + 1 }
        return (position..<colon, bytes.trimmed(colon + 1..<end - 1))
    }

    private static func isSame(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ name: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        guard range.count == name.count else { return false }
        return zip(range, name).allSatisfy { lowercased(bytes[$0]) == lowercased($1) }
    }
}

extension UnsafeRawBufferPointer {
    /// The place of a byte's first occurrence.
    @inline(__always)
    func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        guard start < count, let base = baseAddress,
            let found = memchr(base + start, Int32(byte), count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }
}
