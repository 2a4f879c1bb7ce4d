import MartletCore
import NIOCore
import NIOHPACK
import Testing

@testable import MartletTransport

@Suite("Requests on HTTP/2 streams")
struct RequestHeadTests {
    private func request(_ fields: [(String, String)]) -> RequestHead {
        RequestHead(HPACKHeaders(fields))
    }

    private func context(
        _ fields: [(String, String)], timeout: Duration? = nil
    ) -> RequestContext {
        HTTP2Exchange(
            request(fields), remoteAddress: "", requestTimeout: timeout, start: .now, now: .now()
        ).context
    }

    private func http(_ fields: [(String, String)], body: [UInt8] = []) -> HTTPRequest {
        HTTP2Exchange(
            RequestHead(HPACKHeaders(fields)), remoteAddress: "", requestTimeout: nil,
            start: .now, now: .now()
        ).httpRequest(body: body)
    }

    @Test(arguments: [
        ("application/grpc", true), ("application/grpc+proto", true),
        ("application/grpc;charset=utf-8", true), ("application/json", false), ("", false),
        // Two other protocols, with bodies that are no gRPC messages.
        ("application/grpc-web", false), ("application/grpc-web+proto", false),
        ("application/grpcx", false),
    ])
    func isGRPC_isToldByTheContentType(contentType: String, isGRPC: Bool) {
        #expect(request([("content-type", contentType)]).isGRPC == isGRPC)
    }

    @Test func isGRPC_withoutContentType_isFalse() {
        #expect(!request([(":method", "POST")]).isGRPC)
    }

    @Test(arguments: [
        ("/a/b?c=d?e", "/a/b", "c=d?e"), ("/a", "/a", ""), ("/a?", "/a", ""), ("?", "", ""),
        ("", "", ""), ("/%3F?%3f", "/%3F", "%3f"),
    ])
    func target_isThePathAndTheQueryBehindTheFirstMark(
        target: String, path: String, query: String
    ) {
        #expect(request([(":path", target)]).path == path)
        let http = http([(":path", target)])
        #expect(http.path == path)
        #expect(http.query == query)
    }

    @Test func head_isAnsweredAsGet() {
        let head = http([(":method", "HEAD")])
        #expect(head.method == "GET" && head.isHead)
        let get = http([(":method", "GET")])
        #expect(get.method == "GET" && !get.isHead)
    }

    @Test func deadline_ofACall_isThatOfItsTimeoutField_andNoneWhenItIsMalformed() {
        let grpc = ("content-type", "application/grpc")
        let timed = context([grpc, ("grpc-timeout", "5S")])
        #expect(timed.deadline == .after(.seconds(5), now: timed.start))
        #expect(context([grpc, ("grpc-timeout", "5 S")]).deadline == .never)
    }

    @Test func deadline_ofAnHTTPRequest_isThatOfTheServer() {
        let http = context([("grpc-timeout", "5S")], timeout: .seconds(7))
        #expect(http.deadline == .after(.seconds(7), now: http.start))
        let grpc = [("content-type", "application/grpc")]
        #expect(context(grpc, timeout: .seconds(7)).deadline == .never)
        #expect(context([("grpc-timeout", "5S")]).deadline == .never)
    }

    @Test func fields_ofTheRequest_leaveOutThePseudoFields() {
        let http = http([(":method", "PUT"), (":path", "/p"), ("accept", "*/*")], body: [1])
        #expect(http.method == "PUT")
        #expect(http.headers.fields.map(\.name) == ["accept"])
    }

    @Test func fault_ofMoreFieldsThanTheLimit_namesTheFlag() {
        var limits = Limits()
        limits.headerFields = 2
        #expect(request([("a", "1"), ("b", "2")]).fault(limits: limits) == nil)
        let fault = request([("a", "1"), ("b", "2"), ("c", "3")]).fault(limits: limits)
        #expect(fault?.code == .invalidArgument)
        #expect(fault?.message.contains("--max-header-fields") == true)
    }

    @Test func fault_ofADeclaredLengthOverTheLimit_isFoundBeforeTheBody() {
        var limits = Limits()
        limits.messageBytes = 10
        #expect(request([("content-length", "10")]).fault(limits: limits) == nil)
        let fault = request([("content-length", "11")]).fault(limits: limits)
        #expect(fault?.code == .resourceExhausted)
        #expect(
            fault?.message == "Request body exceeds the limit of 10 bytes (--max-message-bytes)")
    }

    @Test func fault_ofAGRPCCallByAnotherMethod_isUnimplemented() {
        let fields = [("content-type", "application/grpc")]
        let get = request(fields + [(":method", "GET")]).fault(limits: Limits())
        #expect(get?.code == .unimplemented)
        #expect(request(fields + [(":method", "POST")]).fault(limits: Limits()) == nil)
    }

    @Test func coding_ofMessagesThatNobodyKnows_isUnimplementedAndTheKnownOnesAreListed() throws {
        #expect(try request([("grpc-encoding", "gzip")]).messageCoding() == .gzip)
        #expect(try request([]).messageCoding() == .identity)
        let fault = #expect(throws: RequestFault.self) {
            try request([("grpc-encoding", "br")]).messageCoding()
        }
        #expect(fault?.error.code == .unimplemented)
        #expect(fault?.fields.first("grpc-accept-encoding") == "identity, deflate, gzip")
    }
}
