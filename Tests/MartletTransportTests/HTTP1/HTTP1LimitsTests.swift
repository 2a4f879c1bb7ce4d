import Testing

@testable import MartletTransport

@Suite("Limits of an HTTP/1.1 connection")
struct HTTP1LimitsTests {
    private var small: HTTP1Limits {
        var limits = HTTP1Limits()
        limits.headerFields = 3
        limits.headerBytes = 40
        limits.chunkLineBytes = 16
        limits.chunkExtensionBytes = 10
        return limits
    }

    private func fault(_ text: String, split: Int? = nil) -> String? {
        HTTP1Dialogue.after(Array(text.utf8), split: split, limits: small).events
            .first { $0.hasPrefix("failed") }
    }

    private func message(_ text: String) -> String {
        String(HTTP1Dialogue.after(Array(text.utf8), limits: small).sent.suffix(120))
    }

    @Test func fields_atTheLimitAndOneMore_areTakenAndRefused() {
        let fields = ["GET / HTTP/1.1", "Host: a", "b: c", "d: e"]
        let fits = fields.joined(separator: "\r\n")
        #expect(fault(fits + "\r\n\r\n") == nil)
        #expect(fault(fits + "\r\nf: g\r\n\r\n") == "failed 400")
        #expect(
            message(fits + "\r\nf: g\r\n\r\n").contains("3 header fields (--max-header-fields)"))
    }

    @Test func bytes_atTheLimitAndOneMore_areTakenAndRefused() {
        // 1 for the target, 5 for the host, and the other field's own.
        func request(_ count: Int) -> String {
            wire("GET / HTTP/1.1", "Host: a", "b: " + String(repeating: "c", count: count - 7))
        }
        #expect(fault(request(40)) == nil)
        #expect(fault(request(41)) == "failed 400")
        #expect(message(request(41)).contains("exceed 40 bytes (--max-header-bytes)"))
    }

    @Test func headWithoutEnd_isRefusedAtTheLimit() {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nb: "
        let room = small.headBytes - start.utf8.count
        #expect(fault(start + String(repeating: " ", count: room)) == nil)
        #expect(fault(start + String(repeating: " ", count: room + 1)) == "failed 400")
        #expect(fault(String(repeating: "G", count: small.headBytes + 1)) == "failed 400")
    }

    @Test func lineOfAChunk_atTheLimitAndOneMore_isTakenAndRefused() {
        func request(_ line: String) -> String {
            wire("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body: line)
        }
        #expect(fault(request(String(repeating: "0", count: 15) + "1\r\na\r\n")) == nil)
        #expect(fault(request(String(repeating: "0", count: 16) + "1\r\na\r\n")) == "failed 400")
        #expect(fault(request(String(repeating: "0", count: 18))) == "failed 400")
    }

    @Test func extensionsOfChunks_atTheLimitAndOneMore_areTakenAndRefused() {
        let start = wire("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
        #expect(fault(start + "1;abcd\r\na\r\n1;abcd\r\na\r\n0\r\n\r\n") == nil)
        #expect(fault(start + "1;abcd\r\na\r\n1;abcde\r\na\r\n0\r\n\r\n") == "failed 400")
    }

    @Test func trailers_atTheLimitAndOneMore_areTakenAndRefused() {
        let start = wire("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body: "0\r\n")
        #expect(fault(start + "a: b\r\nc: d\r\ne: f\r\n\r\n") == nil)
        #expect(fault(start + "a: b\r\nc: d\r\ne: f\r\ng: h\r\n\r\n") == "failed 400")
        let long = String(repeating: "b", count: 37)
        #expect(fault(start + "a: \(long)\r\n\r\n") == nil)
        #expect(fault(start + "a: \(long)b\r\n\r\n") == "failed 400")
        #expect(fault(start + "a: \(long)bbbb") == "failed 400")
    }

    @Test func requestsBehindOneThatIsAnswered_holdTheClientUpBeyondALimit() {
        var limits = HTTP1Limits()
        limits.unreadBytes = 100
        var dialogue = HTTP1Dialogue(limits: limits)
        dialogue.answers = false
        let request = wire("GET / HTTP/1.1", "Host: a")
        dialogue.receive(request)
        #expect(dialogue.connection.wantsInput)
        dialogue.receive(String(repeating: request, count: 10))
        #expect(dialogue.events == ["GET /", "end ''"])
        #expect(!dialogue.connection.wantsInput)
        for _ in 0..<10 { dialogue.answer() }
        #expect(dialogue.connection.wantsInput)
        #expect(dialogue.statuses.count == 10)
    }

    @Test func clientThatDoesNotRead_isAskedForNoMoreRequests() {
        var dialogue = HTTP1Dialogue()
        dialogue.connection.setWritable(false)
        dialogue.receive(wire("GET / HTTP/1.1", "Host: a"))
        #expect(dialogue.events.isEmpty)
        dialogue.connection.setWritable(true)
        dialogue.collect()
        #expect(dialogue.statuses == [200])
    }
}
