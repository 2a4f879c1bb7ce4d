import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Bounds of probing")
struct ProbeGateTests {
    private func gate(concurrentMax: Int = 8) -> ProbeGate {
        var configuration = ProbeGate.Configuration()
        configuration.concurrentMax = concurrentMax
        return ProbeGate(configuration: configuration)
    }

    @Test func candidates_areAdmittedInOrder_upToTheMost() {
        var gate = gate(concurrentMax: 2)
        #expect(gate.admit([a, b, c], now: .zero) == [a, b])
        #expect(gate.admit([c], now: .zero).isEmpty)
        gate.didEnd(a, .taken, now: .zero)
        #expect(gate.admit([c], now: .zero) == [c])
    }

    @Test func endpoint_isAskedOneThingAtATime() {
        var gate = gate()
        #expect(gate.admit([a, a], now: .zero) == [a])
        #expect(gate.admit([a, b], now: .zero) == [b])
        gate.didEnd(a, .failed, now: .zero)
        #expect(gate.admit([a, b], now: .zero) == [a])
    }

    private func end(_ gate: inout ProbeGate, _ outcomes: ProbeGate.Outcome..., now: Duration) {
        for outcome in outcomes {
            #expect(gate.admit([a], now: now) == [a])
            gate.didEnd(a, outcome, now: now)
        }
    }

    @Test func endpoint_thatDoesNotTell_isLeftAloneForAWhile() {
        var gate = gate()
        end(&gate, .silent, .silent, .silent, now: .seconds(5))
        #expect(gate.admit([a, b], now: .milliseconds(14_999)) == [b])
        // One more such answer, and it is left alone again.
        end(&gate, .silent, now: .seconds(15))
        #expect(gate.admit([a], now: .milliseconds(24_999)).isEmpty)
        end(&gate, .taken, .silent, .silent, now: .seconds(25))
        #expect(gate.admit([a], now: .seconds(25)) == [a])
    }

    @Test func endpoint_thatDoesNotAnswer_isAskedAgain() {
        var gate = gate()
        end(&gate, .failed, .failed, .failed, .failed, now: .zero)
        #expect(gate.admit([a], now: .zero) == [a])
    }

    @Test func endpoints_thatAreNoMore_areForgotten() {
        var gate = gate()
        end(&gate, .silent, .silent, .silent, now: .zero)
        gate.keep(only: [a])
        #expect(gate.admit([a], now: .zero).isEmpty)
        gate.keep(only: [b])
        #expect(gate.admit([a], now: .zero) == [a])
    }
}
