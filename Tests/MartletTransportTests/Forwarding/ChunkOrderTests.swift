import Foundation
import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

/// Messages in chunks, written until the peer's queue is full: the size of the first part lets the
/// queue fill at each place between two chunks once.
@Suite("The order of chunks", .timeLimit(.minutes(10)))
struct ChunkOrderTests {
    /// A queue takes 64 KB, four parts, less what stands around them.
    private static let firstSizes = stride(from: 15_700, through: 16_384, by: 4)
    private static let part = [UInt8](repeating: UInt8(ascii: "p"), count: 16_384)

    private var plan: ForwardingPlan {
        var plan = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        plan.awaitedBodyBytes = 1 << 20
        return plan
    }

    @Test func requestsInChunks_reachUpstreamsWhole() async throws {
        var options = ListenerOptions()
        options.protocols = .http1
        let responder = TestResponder(http: { request, reply in
            reply.send(HTTPResponse(status: 200, body: Array("\(request.body.count)".utf8)))
        })
        try await TestGateway.run(responder, plan: plan, upstreamOptions: options) {
            (gateway) async throws in
            for size in Self.firstSizes {
                let stream = try await gateway.client.open(HeaderSamples.post)
                try await stream.send([UInt8](repeating: 1, count: size))
                for number in 1...5 { try await stream.send(Self.part, end: number == 5) }
                await stream.readToEnd()
                #expect(stream.field(":status") == "200")
                #expect(stream.body == Array("\(size + 5 * Self.part.count)".utf8))
            }
        }
    }

    @Test func answersInChunks_reachClientsWhole() async throws {
        let responder = TestResponder(http: { request, reply in
            let first = Int(request.path.dropFirst()) ?? 0
            let (content, writer) = ContentStream.make(bytesMax: 1 << 20)
            _ = writer.write([UInt8](repeating: UInt8(ascii: "f"), count: first))
            for _ in 1...5 { _ = writer.write(Self.part) }
            writer.finish()
            reply.send(HTTPResponse(contentType: "text/plain", stream: content))
        })
        try await TestGateway.run(responder, plan: plan) { (gateway) async throws in
            for size in Self.firstSizes {
                let client = try await RawClient.connect(to: gateway.front)
                try await client.send(http1("GET /\(size)"))
                let answer = await client.readToEnd()
                #expect(answer.hasPrefix("HTTP/1.1 200 "))
                #expect(content(of: answer) == size + 5 * Self.part.count)
            }
        }
    }

    /// How many bytes the chunks of an answer carry; `nil` where they do not fit together.
    private func content(of answer: String) -> Int? {
        guard let head = answer.range(of: "\r\n\r\n") else { return nil }
        var bytes = ByteBuffer(string: String(answer[head.upperBound...]))
        guard var reader = HTTP1BodyReader(.chunked) else { return nil }
        var count = 0
        while let piece = try? reader.next(from: &bytes, limits: HTTP1Limits()) {
            count += piece.bytes.readableBytes
            if piece.isEnd { return count }
        }
        return nil
    }
}
