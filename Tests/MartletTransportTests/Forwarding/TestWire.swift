import MartletCore
import NIOCore

@testable import MartletTransport

/// The head of a response; a type of its own, so that requests and responses are not mixed up.
struct TestStatus: CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A wire whose heads and trailers are texts.
enum TestWire: ForwardingWire {
    typealias RequestHead = String
    typealias ResponseHead = TestStatus
    typealias Trailers = String

    static func httpStatus(of head: TestStatus) -> Int { Int(head.description) ?? 0 }

    static func isStream(_ head: TestStatus) -> Bool { false }

    static func takesMore(_ head: TestStatus) -> Bool { true }

    static func fields(of head: TestStatus) -> HeaderFields { [:] }

    static func fields(behind trailers: String) -> HeaderFields? { nil }

    static func grpcStatus(head: TestStatus?, trailers: String?) -> StatusCode? { nil }
}

typealias TestRequestPart = RequestPart<TestWire>
typealias TestResponsePart = ResponsePart<TestWire>

extension MessagePart where Head: CustomStringConvertible, Trailers == String {
    /// A head is `<name>`, or `<name.>` when it is all; bytes stand for themselves, the end is `.`.
    var text: String {
        switch self {
        case .head(let name, let isEnd): "<\(name)\(isEnd ? "." : "")>"
        case .body(let bytes): String(buffer: bytes)
        case .end(let trailers): (trailers ?? "") + "."
        case .whole(let name, let bytes): "<\(name)>\(String(buffer: bytes))."
        }
    }
}
