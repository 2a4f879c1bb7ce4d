import MartletCore
import NIOHPACK
import Testing

@testable import MartletTransport

@Suite("How long clients say that they wait")
struct RequestTimeoutTests {
    @Test(arguments: [
        (["1"], Duration.milliseconds(1)), (["2500"], .milliseconds(2500)),
        (["999999999"], .milliseconds(999_999_999)),
    ])
    func numbersOfMilliseconds_areRead(values: [String], time: Duration) {
        #expect(read(values) == .after(time))
    }

    @Test(arguments: [
        [""], ["0"], ["-1"], ["+1"], ["1.5"], ["5s"], ["1000000000"], ["99999999999999999999"],
        ["1", "1"],
    ])
    func allElse_isToldOf(values: [String]) {
        #expect(read(values) == .malformed)
        #expect(read(values).fault?.message.contains("x-request-timeout-ms") == true)
    }

    @Test func withoutTheField_thereIsNone() {
        #expect(read([]) == .none)
        #expect(read([]).fault == nil)
    }

    @Test func whatIsLeft_isAtLeastAMillisecond() {
        #expect(RequestTimeout.text(.milliseconds(1234)) == "1234")
        #expect(RequestTimeout.text(.microseconds(1999)) == "1")
        #expect(RequestTimeout.text(.zero) == "1")
        #expect(RequestTimeout.text(.seconds(-5)) == "1")
        #expect(RequestTimeout.text(.seconds(1e12)) == "999999999")
    }

    @Test func whatIsLeftOfACall_isExactWhileEightDigitsHoldIt() {
        #expect(GRPCFields.textLeft(.microseconds(1999)) == "1999u")
        #expect(GRPCFields.textLeft(.seconds(99)) == "99000000u")
        #expect(GRPCFields.textLeft(.seconds(100)) == "100000m")
        #expect(GRPCFields.textLeft(.seconds(-1)) == "1u")
    }

    @Test func fieldOfHTTP2_isThatOfREST_andGRPCHasItsOwn() {
        let post = HeaderSamples.post
        let rest = RequestHead(HPACKHeaders(post + [("x-request-timeout-ms", "20")]))
        #expect(rest.timeout == .milliseconds(20))
        let fields = [
            ("content-type", "application/grpc"), ("x-request-timeout-ms", "20"),
            ("grpc-timeout", "3S"),
        ]
        #expect(RequestHead(HPACKHeaders(post + fields)).timeout == .seconds(3))
        #expect(RequestHead(HPACKHeaders(post + [("grpc-timeout", "3S")])).timeout == nil)
    }

    private func read(_ values: [String]) -> RequestTimeout {
        var timeout = RequestTimeout.none
        for value in values { timeout.take(value) }
        return timeout
    }
}
