import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Bodies of HTTP requests", .timeLimit(.minutes(10)))
struct RequestBodyTests {
    private func body(
        _ parts: [[UInt8]], encoding: [String] = [], limits: Limits = Limits()
    ) throws -> [UInt8] {
        var body = try RequestBody(contentEncoding: encoding, limits: limits)
        for part in parts { try body.append(ByteBuffer(bytes: part)) }
        return try body.finish()
    }

    private func fault(
        _ parts: [[UInt8]], encoding: [String] = [], limits: Limits = Limits()
    ) -> RequestFault? {
        #expect(throws: RequestFault.self) {
            try body(parts, encoding: encoding, limits: limits)
        }
    }

    private var small: Limits {
        var limits = Limits()
        limits.messageBytes = 4
        return limits
    }

    @Test func body_atTheLimitAndOneByteBeyond_isTakenAndRefused() throws {
        #expect(try body([[1, 2], [3, 4]], limits: small) == [1, 2, 3, 4])
        let fault = fault([[1, 2], [3, 4, 5]], limits: small)
        #expect(fault?.status == 413)
        #expect(fault?.error.message.contains("4 bytes (--max-message-bytes)") == true)
    }

    @Test func body_thatIsCompressed_isHeldToTheLimitDecompressed() throws {
        var limits = Limits()
        limits.messageBytes = 1000
        let fits = [UInt8](repeating: 1, count: 1000)
        #expect(try body([compressed(fits, .gzip)], encoding: ["gzip"], limits: limits) == fits)
        let fault = fault([compressed(fits + [1], .gzip)], encoding: ["gzip"], limits: limits)
        #expect(fault?.status == 413)
        #expect(fault?.error.message.contains("--max-message-bytes") == true)
    }

    @Test func body_thatExpandsTooMuch_is413() {
        let bomb = compressed([UInt8](repeating: 0, count: 4 << 20), .gzip)
        let fault = fault([bomb], encoding: ["gzip"])
        #expect(fault?.status == 413)
        #expect(fault?.error.message.contains("--max-decompression-ratio") == true)
    }

    @Test func body_thatIsBrokenOrEndsEarly_is400() {
        #expect(fault([[1, 2, 3]], encoding: ["gzip"])?.status == 400)
        let whole = compressed([1, 2, 3], .gzip)
        let fault = fault([Array(whole.dropLast())], encoding: ["gzip"])
        #expect(fault?.status == 400)
        #expect(fault?.error.message == "The compressed request body ends early")
    }

    @Test func body_withoutBytes_isEmptyWhateverItsEncoding() throws {
        #expect(try body([], encoding: ["gzip"]) == [])
    }

    @Test(arguments: [["br"], ["gzip", "gzip"], ["gzip, br"]])
    func body_ofAnUnknownEncoding_is415AndTheKnownOnesAreListed(encoding: [String]) {
        let fault = fault([], encoding: encoding)
        #expect(fault?.status == 415)
        #expect(fault?.fields.first("accept-encoding") == "identity, deflate, gzip")
    }

    // MARK: Through a connection

    private func ask(
        _ server: TestServer, _ body: [UInt8], encoding: String
    ) async throws -> String {
        let client = try await RawClient.connect(to: server)
        let head = http1(
            "POST /", ["Content-Encoding: \(encoding)", "Content-Length: \(body.count)"])
        // A server that refuses may close before all is sent.
        try? await client.send(Array(head.utf8) + body)
        return await client.readToEnd()
    }

    @Test func http1_answersDecompressedBodiesAndRefusals() async throws {
        let responder = TestResponder()
        try await TestServer.run(responder) { (server) async throws in
            let text = String(repeating: "echo ", count: 10_000)
            let answer = try await ask(
                server, compressed(Array(text.utf8), .gzip), encoding: "gzip")
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(answer.hasSuffix("\r\n\r\n" + text))
            #expect(try await ask(server, [1, 2], encoding: "gzip").hasPrefix("HTTP/1.1 400"))
            let unknown = try await ask(server, [1, 2], encoding: "br")
            #expect(unknown.hasPrefix("HTTP/1.1 415"))
            #expect(unknown.contains("accept-encoding: identity, deflate, gzip\r\n"))
            let bomb = compressed([UInt8](repeating: 0, count: 64 << 20), .gzip)
            #expect(try await ask(server, bomb, encoding: "gzip").hasPrefix("HTTP/1.1 413"))
        }
        #expect(responder.refusals.map(\.httpStatus) == [400, 415, 413])
    }

    @Test func http2_answersDecompressedBodiesAndRefusals() async throws {
        try await TestServer.run { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            func ask(_ body: [UInt8], _ encoding: String) async throws -> HTTP2TestStream {
                let stream = try await client.open([
                    (":method", "POST"), (":scheme", "http"), (":path", "/"),
                    (":authority", "martlet.test"), ("content-encoding", encoding),
                ])
                // A server that refuses the head resets what comes behind it.
                try? await stream.send(body, end: true)
                await stream.readToEnd()
                return stream
            }
            #expect(try await ask(compressed([1, 2], .deflate), "deflate").body == [1, 2])
            #expect(try await ask([9], "gzip").field(":status") == "400")
            let unknown = try await ask([9], "br")
            #expect(unknown.field(":status") == "415")
            #expect(unknown.field("accept-encoding") == "identity, deflate, gzip")
            await client.close()
        }
    }

    @Test func grpc_answersCompressedMessagesAndRefusals() async throws {
        try await TestServer.run { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            let call = try await client.call("/a.B/C", [("grpc-encoding", "gzip")])
            try await call.send(message: compressed([1, 2], .gzip), flag: 1, end: true)
            await call.readToEnd()
            #expect(call.messages == [[1, 2]])
            let unknown = try await client.call("/a.B/C", [("grpc-encoding", "br")])
            await unknown.readToEnd()
            #expect(unknown.field("grpc-status") == "12")
            #expect(unknown.field("grpc-accept-encoding") == "identity, deflate, gzip")
            await client.close()
        }
    }
}
