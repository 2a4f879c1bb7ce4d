import MartletCore
import MartletTelemetry
import NIOEmbedded
import Testing

@testable import MartletTransport

@Suite("Connections of copies")
struct CopyConnectionsTests {
    private let upstreams = SharedUpstreams()
    private let address = UpstreamAddress(host: "a", port: 1).inGroup("p", isEncrypted: true)

    private var requests: SharedUpstream { upstreams[address] }
    private var copies: SharedUpstream { upstreams[address.forCopies] }

    init() {
        var options = UpstreamOptions()
        options.connectionsMax = 2
        options.pendingRequestsMax = 2
        upstreams.set(options, for: address)
    }

    /// How many connections there is room for.
    private func begin(_ upstream: SharedUpstream) -> Int {
        (0..<3).count { _ in upstream.begin() }
    }

    @Test func copies_leaveRequestsAllThatTheyMayHave() {
        #expect(begin(copies) == 2)
        #expect(begin(requests) == 2)
    }

    @Test func copies_getNoneWhileRequestsHaveAll() {
        #expect(begin(requests) == 2)
        #expect(begin(copies) == 0)
        requests.didConnect(nil)
        #expect(begin(copies) == 1)
    }

    @Test func copies_areConnectedToAsRequestsAre_overOtherConnections() {
        let address = address
        #expect(address.forCopies.connections != address.connections)
        #expect(address.forCopies.forCopies.connections == address.forCopies.connections)
        #expect(address.forCopies == address)
        #expect(address.forCopies.isEncrypted)
        #expect(address.forCopies.description == "a:1")
        #expect(copies.options.connectionsMax == 2)
    }

    /// Whoever waits for room has others close their connections.
    @Test func copyWithoutRoom_fails_andWaitsForNothing() {
        #expect(begin(requests) == 2)
        let pool = HTTP1UpstreamPool(
            eventLoop: EmbeddedEventLoop(), limits: ForwardingLimits(), upstreams: upstreams)
        let attempt = FailingAttempt()
        pool.open(address.forCopies, forAttempt: attempt, attempt: 1)
        #expect(attempt.failures == [.full])
    }
}

/// Notes how it fails.
private final class FailingAttempt: HTTP1Attempt {
    private(set) var failures: [ForwardingFailure] = []

    var attemptStart: ContinuousClock.Instant? { nil }

    var timeLeft: Duration? { nil }

    func awaits(_ attempt: Int) -> Bool { true }

    func opened(_ upstream: any UpstreamExchange<HTTP1Wire>, attempt: Int) {}

    func receive(_ part: ResponsePart<HTTP1Wire>, attempt: Int) {}

    func upstreamReadComplete(attempt: Int) {}

    func upstreamWritabilityChanged(_ isWritable: Bool, attempt: Int) {}

    func failed(_ failure: ForwardingFailure, attempt: Int) { failures.append(failure) }

    func upstreamLost(attempt: Int) {}

    func didReport(_ reading: LoadReading, from upstream: UpstreamAddress) {}
}
