import NIOCore
import Testing

@testable import MartletTransport

@Suite("HTTP/1.1 connections")
struct HTTP1ConnectionTests {
    private let get = wire("GET / HTTP/1.1", "Host: a")

    /// Answers without the field that tells the time.
    private func sent(_ dialogue: HTTP1Dialogue) -> String {
        dialogue.sent.replacing(#/date: [^\r]+\r\n/#, with: "")
    }

    @Test func answer_isItsFieldsAndItsLength() {
        var dialogue = HTTP1Dialogue()
        dialogue.answers = false
        dialogue.receive(get)
        dialogue.connection.answer(
            HTTPResponse(status: 404, contentType: "text/plain", body: Array("no".utf8)))
        dialogue.collect()
        #expect(
            sent(dialogue)
                == "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n"
                + "content-length: 2\r\n\r\nno")
        #expect(dialogue.sent.contains("date: "))
    }

    @Test func answer_toHEAD_hasTheLengthAndNoBody() {
        var dialogue = HTTP1Dialogue()
        dialogue.answers = false
        dialogue.receive(wire("HEAD / HTTP/1.1", "Host: a"))
        dialogue.answer("echo")
        #expect(sent(dialogue) == "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
    }

    @Test(arguments: [204, 304])
    func answer_thatHasNoContent_hasNoLength(status: Int) {
        var dialogue = HTTP1Dialogue()
        dialogue.answers = false
        dialogue.receive(get)
        dialogue.answer("lost", status: status)
        #expect(!dialogue.sent.contains("content-length"))
        #expect(dialogue.sent.hasSuffix("\r\n\r\n"))
    }

    @Test func answer_withALineEndInAField_staysOneAnswer() {
        var dialogue = HTTP1Dialogue()
        dialogue.answers = false
        dialogue.receive(get)
        dialogue.connection.answer(
            HTTPResponse(status: 200, headers: ["a": "b\r\nc: d\0"], body: []))
        dialogue.collect()
        #expect(dialogue.sent.contains("a: b  c: d \r\n"))
    }

    @Test func answer_toHTTP10_saysThatTheConnectionIsKeptOrClosed() {
        var dialogue = HTTP1Dialogue()
        dialogue.receive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(dialogue.sent.contains("connection: keep-alive\r\n"))
        dialogue.forget()
        dialogue.receive("GET / HTTP/1.0\r\n\r\n")
        #expect(dialogue.sent.contains("connection: close\r\n"))
        #expect(dialogue.connection.isClosing && !dialogue.connection.mayBeSending)
    }

    @Test func requests_waitForTheAnswerToTheOneInFront() {
        var dialogue = HTTP1Dialogue()
        dialogue.answers = false
        dialogue.receive(wire("GET /1 HTTP/1.1", "Host: a") + wire("GET /2 HTTP/1.1", "Host: a"))
        #expect(dialogue.events == ["GET /1", "end ''"])
        dialogue.answer("one")
        #expect(dialogue.events == ["GET /1", "end ''", "GET /2", "end ''"])
        dialogue.answer("two")
        #expect(dialogue.statuses == [200, 200])
        #expect(dialogue.sent.hasSuffix("two"))
    }

    @Test func answer_withoutARequest_isNotSent() {
        var dialogue = HTTP1Dialogue()
        dialogue.answer("lost")
        dialogue.answers = false
        dialogue.receive(wire("POST / HTTP/1.1", "Host: a", "Content-Length: 4", body: "ec"))
        dialogue.answer("lost")
        #expect(dialogue.sent.isEmpty)
    }

    @Test func refusal_endsTheConnectionWhateverStillComes() {
        var dialogue = HTTP1Dialogue()
        dialogue.answers = false
        dialogue.receive(wire("POST / HTTP/1.1", "Host: a", "Content-Length: 4", body: "ec"))
        dialogue.connection.refuse(HTTPResponse(status: 413))
        dialogue.receive("ho" + get)
        #expect(dialogue.statuses == [413])
        #expect(dialogue.sent.contains("connection: close\r\n"))
        #expect(dialogue.connection.isClosing && dialogue.connection.mayBeSending)
        #expect(dialogue.events == ["POST /"])
    }

    @Test func contentThatIsHeldBack_isAskedForOnce() {
        let head = wire(
            "POST / HTTP/1.1", "Host: a", "Expect: 100-Continue", "Content-Length: 4")
        var dialogue = HTTP1Dialogue()
        dialogue.receive(head)
        #expect(dialogue.sent == "HTTP/1.1 100 Continue\r\n\r\n")
        dialogue.receive("ec")
        dialogue.receive("ho")
        #expect(dialogue.statuses == [100, 200])
        dialogue.forget()
        // It has come already.
        dialogue.receive(head + "echo")
        #expect(dialogue.statuses == [200])
    }

    @Test(arguments: [
        wire("POST / HTTP/1.1", "Host: a", "Expect: 100-continue", "Content-Length: 0"),
        wire("GET / HTTP/1.1", "Host: a", "Expect: 100-continue"),
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        wire("POST / HTTP/1.1", "Host: a", "Expect: miracles", "Content-Length: 4"),
    ])
    func expectation_thatMeansNothing_isIgnored(text: String) {
        var dialogue = HTTP1Dialogue()
        dialogue.receive(text)
        #expect(!dialogue.statuses.contains(100))
    }

    @Test func headThatIsRepeated_isTheSameObject() {
        var connection = HTTP1Connection(limits: HTTP1Limits())
        var heads: [HTTP1Head] = []
        for request in [get, get, wire("GET /b HTTP/1.1", "Host: a")] {
            connection.receive(ByteBuffer(string: request))
            while let event = connection.next() {
                if case .head(let head, _) = event { heads.append(head) }
            }
            connection.answer(HTTPResponse(status: 200))
            _ = connection.takeOutput()
        }
        #expect(heads[0] === heads[1] && heads[1] !== heads[2])
        #expect(heads[2].path == "/b")
    }

    /// Wherever the connection is in its next head.
    @Test func headThatIsForgotten_isReadAnew() {
        let bytes = Array(get.utf8)
        for cut in bytes.indices {
            var connection = HTTP1Connection(limits: HTTP1Limits())
            var heads: [HTTP1Head] = []
            for piece in [bytes[...], bytes[..<cut], bytes[cut...]] {
                connection.receive(ByteBuffer(bytes: piece))
                while let event = connection.next() {
                    if case .head(let head, _) = event { heads.append(head) }
                }
                connection.answer(HTTPResponse(status: 200))
                _ = connection.takeOutput()
                connection.forgetHead()
            }
            #expect(heads.count == 2 && heads[0] !== heads[1])
            #expect(heads.map(\.bytes) == [bytes, bytes])
        }
    }

    @Test func fields_areReadOutOfTheHead() {
        var connection = HTTP1Connection(limits: HTTP1Limits())
        connection.receive(
            ByteBuffer(string: wire("GET / HTTP/1.1", "Host: a", "X-Bird:\t swift ", "Empty:")))
        guard case .head(let head, true) = connection.next() else {
            Issue.record("no head")
            return
        }
        var fields = HeaderFields(head)
        #expect(fields.first("x-bird") == "swift")
        #expect(fields.first("EMPTY") == "")
        #expect(fields.first("bird") == nil)
        #expect(fields.fields.map(\.name) == ["Host", "X-Bird", "Empty"])
        fields.add("more", "b")
        #expect(fields.first("more") == "b" && fields.first("host") == "a")
    }

    // MARK: The end

    @Test func draining_endsWithTheAnswerToTheRequestThatIsThere() {
        var dialogue = HTTP1Dialogue()
        dialogue.answers = false
        dialogue.receive(get)
        dialogue.connection.startDraining()
        dialogue.answer("last")
        #expect(dialogue.sent.contains("connection: close\r\n"))
        #expect(dialogue.connection.isClosing)
    }

    @Test func draining_answersWhatHasComeBehindIt() {
        var dialogue = HTTP1Dialogue()
        dialogue.answers = false
        dialogue.receive(get + get)
        dialogue.connection.startDraining()
        dialogue.answer("first")
        #expect(!dialogue.connection.isClosing)
        dialogue.answer("last")
        #expect(dialogue.connection.isClosing)
        #expect(dialogue.statuses == [200, 200])
    }

    @Test func draining_isNotHeldUpByAClientThatGoesOn() {
        var dialogue = HTTP1Dialogue()
        dialogue.connection.startDraining()
        for _ in 0..<1000 where !dialogue.connection.isClosing { dialogue.receive(get + get + "G") }
        #expect(dialogue.connection.isClosing)
        #expect(dialogue.statuses.count <= HTTP1Limits().farewellAnswers + 1)
    }

    /// Some clients send an empty line behind each body (RFC 9112, section 2.2).
    @Test func emptyLines_betweenRequests_areCountedForOneRequestOnly() {
        var dialogue = HTTP1Dialogue()
        for _ in 0..<20 {
            dialogue.receive(get)
            dialogue.receive("\r\n")
        }
        #expect(dialogue.statuses == Array(repeating: 200, count: 20))
    }

    @Test func trailers_areThoseOfTheirRequestOnly() {
        var connection = HTTP1Connection(limits: HTTP1Limits(), keepsTrailers: true)
        connection.receive(
            ByteBuffer(
                string: wire(
                    "POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked",
                    body: "0\r\nA: b\r\n\r\n" + get)))
        while connection.next() != nil {}
        #expect(connection.trailers.map { String(buffer: $0) } == "A: b\r\n")
        connection.answer(HTTPResponse(status: 200))
        while connection.next() != nil {}
        #expect(connection.requestCount == 2 && connection.trailers == nil)
    }
}
