import NIOCore
import NIOHPACK

extension FieldTrailers {
    /// The same as lines of HTTP/1.1, each read as strictly as if a client had sent it; `nil` where
    /// none of them may be passed on.
    var http1: ByteBuffer? {
        var lines: [UInt8] = []
        for field in fields.fields {
            let line = Array("\(field.name): \(field.value)".utf8)
            guard FieldTrailers.isSayable(line, nameCount: field.name.utf8.count) else { continue }
            lines += line
            lines += "\r\n".utf8
        }
        return lines.isEmpty ? nil : ByteBuffer(bytes: lines)
    }

    private static func isSayable(_ line: [UInt8], nameCount: Int) -> Bool {
        line.withUnsafeBytes { bytes in
            guard let read = try? HTTP1FieldLine(bytes, 0..<bytes.count),
                read.name.count == nameCount
            else { return false }
            return HTTP1Hops.mayTrail(bytes, read.name)
        }
    }
}

extension ByteBuffer {
    /// Lines of trailers that were read, by HTTP/2; `nil` where none of them may be passed on.
    var http2Trailers: FieldTrailers? {
        var headers = HPACKHeaders()
        withUnsafeReadableBytes { bytes in
            var position = 0
            while let field = HTTP1Head.field(bytes, at: &position) {
                guard HTTP1Hops.mayTrail(bytes, field.name) else { continue }
                headers.add(
                    name: bytes.text(field.name).lowercased(), value: bytes.text(field.value))
            }
        }
        guard !headers.isEmpty else { return nil }
        let trailers = FieldTrailers(headers)
        return trailers.malformation == nil ? trailers : nil
    }
}

extension HTTP1Hops {
    /// Whether a field that stands behind content is for more than one hop, and comes in time there
    /// (RFC 9110, section 6.5.1).
    static func mayTrail(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> Bool {
        let late: [StaticString] = ["host", "authorization", "content-encoding", "content-type"]
        return !isForOneHop(bytes, name, keepsUpgrade: false)
            && !late.contains { bytes.spells($0, name) }
    }
}
