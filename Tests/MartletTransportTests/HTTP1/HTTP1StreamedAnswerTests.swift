import NIOCore
import Testing

@testable import MartletTransport

@Suite("Answers in pieces on an HTTP/1.1 connection")
struct HTTP1StreamedAnswerTests {
    private func head(_ lines: String...) throws -> HTTP1AnswerHead {
        var parser = HTTP1HeadParser<HTTP1AnswerHead>()
        var bytes = ByteBuffer(string: (lines + ["", ""]).joined(separator: "\r\n"))
        return try #require(try parser.next(from: &bytes, limits: HTTP1Limits()))
    }

    private func connection(_ request: String, limits: HTTP1Limits = HTTP1Limits())
        -> HTTP1Connection
    {
        var connection = HTTP1Connection(limits: limits, keepsTrailers: true)
        connection.receive(ByteBuffer(string: request))
        while connection.next() != nil {}
        return connection
    }

    private func output(_ connection: inout HTTP1Connection) -> String {
        connection.takeOutput().map { String(buffer: $0) } ?? ""
    }

    private static let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n"

    @Test func answerWithLength_keepsTheConnection() throws {
        var connection = connection(Self.get + Self.get)
        connection.begin(try head("HTTP/1.1 200 OK", "content-length: 3", "a: b"))
        #expect(connection.send(ByteBuffer(string: "abc")).isEmpty)
        connection.endAnswer(trailers: nil)
        #expect(
            output(&connection) == "HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 3\r\n\r\nabc")
        guard case .head = connection.next() else {
            Issue.record("the request behind it is not told of")
            return
        }
    }

    @Test func noContent_statesNoLength() throws {
        var connection = connection(Self.get)
        connection.begin(try head("HTTP/1.1 204 No Content", "content-length: 3", "a: b"))
        connection.endAnswer(trailers: nil)
        #expect(output(&connection) == "HTTP/1.1 204 No Content\r\na: b\r\n\r\n")
    }

    @Test func answerInChunks_hasChunksAndTrailers() throws {
        var connection = connection(Self.get)
        connection.begin(try head("HTTP/1.1 200 OK", "transfer-encoding: chunked"))
        _ = connection.send(ByteBuffer(string: "abc"))
        _ = connection.send(ByteBuffer())
        connection.endAnswer(trailers: ByteBuffer(string: "t: 1\r\n"))
        #expect(
            output(&connection)
                == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n0\r\nt: 1\r\n\r\n")
        #expect(!connection.isClosing)
    }

    /// A client of HTTP/1.1 is told of the end without losing its connection; one of HTTP/1.0 cannot.
    @Test func answerWithoutLength_isPutIntoChunksOrEndsTheConnection() throws {
        var connection = connection(Self.get)
        connection.begin(try head("HTTP/1.0 200 OK"))
        _ = connection.send(ByteBuffer(string: "abc"))
        connection.endAnswer(trailers: nil)
        #expect(output(&connection).hasSuffix("chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
        #expect(!connection.isClosing)

        var old = self.connection("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        old.begin(try head("HTTP/1.1 200 OK", "transfer-encoding: chunked"))
        _ = old.send(ByteBuffer(string: "abc"))
        old.endAnswer(trailers: ByteBuffer(string: "t: 1\r\n"))
        #expect(output(&old) == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc")
        #expect(old.isClosing)
    }

    @Test func keptConnectionOfHTTP10_isToldSo() throws {
        var connection = connection("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        connection.begin(try head("HTTP/1.1 200 OK", "content-length: 0"))
        connection.endAnswer(trailers: nil)
        #expect(output(&connection).contains("connection: keep-alive\r\n"))
        #expect(!connection.isClosing)
    }

    @Test func answerToHead_statesTheLengthAndHasNoContent() throws {
        var connection = connection("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
        connection.begin(try head("HTTP/1.1 200 OK", "content-length: 3"))
        _ = connection.send(ByteBuffer(string: "abc"))
        connection.endAnswer(trailers: nil)
        #expect(output(&connection) == "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n")
    }

    @Test func answerBeforeItsRequestIsComplete_isTheLast() throws {
        var connection = connection("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc")
        connection.begin(try head("HTTP/1.1 413 x", "content-length: 0"))
        connection.endAnswer(trailers: nil)
        #expect(output(&connection).contains("connection: close\r\n"))
        #expect(connection.isClosing)
        #expect(connection.mayBeSending)
    }

    @Test func largeContent_isNotCopied() throws {
        var connection = connection(Self.get)
        connection.begin(try head("HTTP/1.1 200 OK", "transfer-encoding: chunked"))
        let large = ByteBuffer(repeating: 7, count: 100_000)
        let first = connection.send(large)
        #expect(first.count == 2)
        #expect(first.last == large)
        #expect(first.first.map { String(buffer: $0).hasSuffix("186a0\r\n") } == true)
        #expect(output(&connection) == "\r\n")
    }

    @Test func upgrade_makesATunnelUntilItEnds() throws {
        var connection = connection(
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nearly")
        connection.begin(try head("HTTP/1.1 101 x", "upgrade: websocket", "connection: upgrade"))
        #expect(
            output(&connection)
                == "HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
        guard case .content(let bytes, false) = connection.next() else {
            Issue.record("what came early is lost")
            return
        }
        #expect(String(buffer: bytes) == "early")
        _ = connection.send(ByteBuffer(string: "GET"))
        #expect(output(&connection) == "GET")
        connection.endAnswer(trailers: nil)
        #expect(connection.isClosing)
    }

    @Test func drainingConnection_saysThatThisAnswerIsTheLast() throws {
        var connection = connection(Self.get)
        connection.startDraining()
        connection.begin(try head("HTTP/1.1 200 OK", "content-length: 0"))
        connection.endAnswer(trailers: nil)
        #expect(output(&connection).contains("connection: close\r\n"))
        #expect(connection.isClosing)
    }
}
