import MartletCore
import NIOCore
import NIOHPACK
import Testing

@testable import MartletTransport

@Suite("Heads as the gateway forwards them over HTTP/2")
struct HTTP2WireTests {
    private func decoded(_ block: FieldBlock) throws -> HPACKHeaders {
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator(), maxDynamicTableSize: 0)
        var buffer = ByteBuffer(bytes: block.bytes)
        return try decoder.decodeHeaders(from: &buffer)
    }

    private func forwarded(
        _ fields: [(String, String)], address: String? = nil, changes: ForwardingChanges? = nil
    ) throws -> [String] {
        let head = HTTP2ForwardedHead(
            RequestHead(HPACKHeaders(fields)), clientAddress: address, changes: changes)
        return try decoded(head.block).map { "\($0.name)=\($0.value)" }
    }

    @Test(arguments: ["/", "/p", "/p?", "/p?a=b?c"])
    func requests_areForwardedAsTheyCame(target: String) throws {
        let lines = try forwarded(
            [
                (":method", "PUT"), (":path", target), (":scheme", "https"),
                (":authority", "a:1"), ("x-forwarded-for", "9.9.9.9"), ("te", "trailers"),
            ], address: "1.2.3.4")
        #expect(
            lines == [
                ":method=PUT", ":scheme=https", ":path=\(target)", ":authority=a:1",
                "x-forwarded-for=9.9.9.9", "te=trailers", "x-forwarded-for=1.2.3.4",
            ])
    }

    @Test func connect_hasNoPathNorScheme() throws {
        let lines = try forwarded([(":method", "CONNECT"), (":authority", "a:1")])
        #expect(lines == [":method=CONNECT", ":authority=a:1"])
    }

    @Test func changes_leaveTheQuery() throws {
        var changes = ForwardingChanges()
        changes.path = "/new"
        changes.request.removed = ["b"]
        changes.request.added = [.init("d", "4")]
        let lines = try forwarded(
            HeaderSamples.get.map { $0.0 == ":path" ? (":path", "/old?q") : $0 }
                + [("a", "1"), ("b", "2"), ("c", "3")], changes: changes)
        #expect(lines.contains(":path=/new?q"))
        #expect(lines.suffix(3) == ["a=1", "c=3", "d=4"])
    }

    @Test func whatAClientSaysOfItsTenant_isReplaced() throws {
        let said = HeaderSamples.get + [("x-martlet-tenant", "b"), ("a", "1")]
        #expect(try forwarded(said).last == "a=1")
        #expect(try !forwarded(said).contains("x-martlet-tenant=b"))
        var changes = ForwardingChanges()
        changes.request.added = [.init("x-martlet-tenant", "c")]
        #expect(try forwarded(said, changes: changes).suffix(2) == ["a=1", "x-martlet-tenant=c"])
    }

    @Test func fieldsThatNobodyMayKeep_areMarkedOnTheirFurtherWay() throws {
        var headers = HPACKHeaders(HeaderSamples.get + [("a", "1")])
        headers.add(name: "authorization", value: "secret", indexing: .neverIndexed)
        headers.add(name: "x-own", value: "secret", indexing: .neverIndexed)
        let head = HTTP2ForwardedHead(RequestHead(headers), clientAddress: nil, changes: nil)
        for block in [head.block, FieldBlock(headers)] {
            let marked = try decoded(block).filter { $0.indexable == .neverIndexed }.map(\.name)
            #expect(marked == ["authorization", "x-own"])
        }
    }

    @Test func answers_sayWhatTheExchangeHasToKnow() throws {
        let plain = AnswerHead(
            HPACKHeaders([
                (":status", "503"), ("content-length", "3"), ("date", "d"), ("a", "b"),
            ]))
        #expect(HTTP2Wire.httpStatus(of: plain) == 503)
        #expect(!HTTP2Wire.isStream(plain))
        #expect(HTTP2Wire.fields(of: plain).fields.map(\.name) == ["a"])
        #expect(HTTP2Wire.grpcStatus(head: plain, trailers: nil) == nil)
        let stream = AnswerHead(
            HPACKHeaders([(":status", "200"), ("content-type", "text/event-stream; x=y")]))
        #expect(HTTP2Wire.isStream(stream))
        let failed = AnswerHead(HPACKHeaders([(":status", "200"), ("grpc-status", "14")]))
        #expect(HTTP2Wire.grpcStatus(head: failed, trailers: nil) == .unavailable)
        let trailers = FieldTrailers(HPACKHeaders([("grpc-status", "99")]))
        #expect(HTTP2Wire.grpcStatus(head: failed, trailers: trailers) == .unknown)
    }

    @Test func timeThatIsLeft_takesThePlaceOfTheTimeThatWas() throws {
        let fields =
            HeaderSamples.post + [
                ("content-type", "application/grpc"), ("grpc-timeout", "5S"), ("a", "1"),
            ]
        let call = HTTP2ForwardedHead(
            RequestHead(HPACKHeaders(fields)), clientAddress: nil, changes: nil)
        for left in [Duration.milliseconds(1500), .milliseconds(200)] {
            let lines = try decoded(call.block(asksForLoad: false, timeLeft: left))
            #expect(lines[canonicalForm: "grpc-timeout"] == [GRPCFields.textLeft(left)])
        }
        let rest = HTTP2ForwardedHead(
            RequestHead(HPACKHeaders(HeaderSamples.post + [("x-request-timeout-ms", "5000")])),
            clientAddress: nil, changes: nil)
        let lines = try decoded(rest.block(asksForLoad: false, timeLeft: .seconds(2)))
        #expect(lines[canonicalForm: "x-request-timeout-ms"] == ["2000"])
    }

    @Test func timeThatCannotBeRead_isLeftAsItIs() throws {
        let fields =
            HeaderSamples.post + [("content-type", "application/grpc"), ("grpc-timeout", "soon")]
        let call = HTTP2ForwardedHead(
            RequestHead(HPACKHeaders(fields)), clientAddress: nil, changes: nil)
        let lines = try decoded(call.block(asksForLoad: false, timeLeft: nil))
        #expect(lines[canonicalForm: "grpc-timeout"] == ["soon"])
    }

    /// What is kept of an answer is given to others, long after the load was such.
    @Test func fieldsThatAreKept_areNotThoseOfLoad() throws {
        let fields = [
            ("grpc-status", "0"), ("endpoint-load-metrics", "TEXT cpu_utilization=0.5"),
            ("endpoint-load-metrics-bin", "AAAA"), ("x-own", "1"),
        ]
        let trailers = FieldTrailers(HPACKHeaders(fields))
        #expect(HTTP2Wire.fields(behind: trailers)?.fields.map(\.name) == ["grpc-status", "x-own"])
        let head = AnswerHead(HPACKHeaders([(":status", "200")] + fields))
        #expect(HTTP2Wire.fields(of: head).fields.map(\.name) == ["grpc-status", "x-own"])
    }

    @Test func changedAnswers_keepTheirStatus() throws {
        let head = AnswerHead(HPACKHeaders([(":status", "418"), ("a", "1"), ("b", "2")]))
        var changes = FieldChanges()
        changes.removed = ["a"]
        changes.added = [.init("c", "3")]
        let lines = try decoded(head.block(changedBy: changes)).map { "\($0.name)=\($0.value)" }
        #expect(lines == [":status=418", "b=2", "c=3"])
    }
}
