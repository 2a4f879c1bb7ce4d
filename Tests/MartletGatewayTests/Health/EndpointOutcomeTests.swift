import MartletCore
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Outcomes of requests, as passive checks see them")
struct EndpointOutcomeTests {
    private static let latency = Duration.milliseconds(3)

    @Test(arguments: [
        (100, EndpointOutcome.answered(latency: latency)), (200, .answered(latency: latency)),
        (304, .answered(latency: latency)), (399, .answered(latency: latency)),
        (400, .declined), (404, .declined), (429, .declined), (499, .declined),
        (500, .failed(.serverError)), (501, .declined), (502, .failed(.serverError)),
        (503, .failed(.serverError)), (504, .failed(.serverError)), (505, .failed(.serverError)),
        (599, .failed(.serverError)), (999, .failed(.serverError)), (.max, .failed(.serverError)),
        (99, .declined), (0, .declined), (-1, .declined), (.min, .declined),
    ])
    func httpStatus_countsAgainstTheEndpointIfItIsTheEndpointsFault(
        status: Int, outcome: EndpointOutcome
    ) {
        #expect(EndpointOutcome(httpStatus: status, latency: Self.latency) == outcome)
    }

    @Test func grpcStatus_countsAgainstTheEndpointIfItIsTheEndpointsFault() {
        let table = StatusCode.allCases.map { code in
            "\(code.name) \(summary(EndpointOutcome(grpcStatus: code, latency: Self.latency)))"
        }
        #expect(
            table == [
                "OK answered", "CANCELLED declined", "UNKNOWN server_error",
                "INVALID_ARGUMENT declined", "DEADLINE_EXCEEDED declined", "NOT_FOUND declined",
                "ALREADY_EXISTS declined", "PERMISSION_DENIED declined",
                "RESOURCE_EXHAUSTED declined", "FAILED_PRECONDITION declined", "ABORTED declined",
                "OUT_OF_RANGE declined", "UNIMPLEMENTED declined", "INTERNAL server_error",
                "UNAVAILABLE server_error", "DATA_LOSS server_error", "UNAUTHENTICATED declined",
            ])
    }

    @Test func failedAttempt_countsUnlessTheEndpointHandedItBack() {
        let failures: [ForwardingFailure] = [
            .connectFailed, .connectionClosed, .unprocessed, .timedOut, .noHTTP2,
        ]
        #expect(
            failures.map { EndpointOutcome($0).map { summary($0) } }
                == [
                    "connection_failed", "connection_failed", "declined", "timed_out", "declined",
                ])
    }

    @Test func attempt_thatNobodyWaitedFor_tellsNothing() {
        func outcome(_ result: AttemptResult) -> String? {
            EndpointOutcome(
                EndedAttempt(
                    upstream: UpstreamAddress(host: "a", port: 1), result: result,
                    duration: Self.latency)
            ).map { summary($0) }
        }
        #expect(outcome(.abandoned) == nil)
        for fault in LocalFault.allCases { #expect(outcome(.failed(.localFault(fault))) == nil) }
        #expect(outcome(.failed(.timedOut)) == "timed_out")
        #expect(outcome(.answered(httpStatus: 200, grpcStatus: .unavailable)) == "server_error")
        #expect(outcome(.answered(httpStatus: 503, grpcStatus: nil)) == "server_error")
        #expect(outcome(.answered(httpStatus: 200, grpcStatus: nil)) == "answered")
    }

    @Test func silence_isWhatAnActiveCheckCanDisprove() {
        #expect(EndpointFailure.allCases.filter(\.isSilence) == [.connectionFailed, .timedOut])
    }

    private func summary(_ outcome: EndpointOutcome) -> String {
        switch outcome {
        case .answered: "answered"
        case .declined: "declined"
        case .failed(let failure): failure.rawValue
        }
    }
}
