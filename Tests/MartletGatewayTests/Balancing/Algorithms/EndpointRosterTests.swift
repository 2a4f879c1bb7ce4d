import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Balancers: the endpoints and what runs there")
struct EndpointRosterTests {
    private let fine = BalancedAttempt(latency: .milliseconds(1), hasFailed: false)
    private let failed = BalancedAttempt(latency: .milliseconds(1), hasFailed: true)

    private func roster(_ ids: EndpointID...) -> EndpointRoster<String> {
        var roster = EndpointRoster(penalty: FailurePenalty(), blank: "")
        for id in ids {
            roster.add(id)
            roster.setHealthy(id, true)
        }
        return roster
    }

    private func load(_ id: EndpointID, in roster: EndpointRoster<String>) -> Double? {
        roster.place(of: id).map { roster.load(at: $0, now: .zero) }
    }

    @Test func notes_asEndpointsComeAndGo_stayWithTheirEndpoint() {
        var roster = roster(b)
        roster.notes[0] = "of b"
        roster.add(c)
        roster.add(a)
        #expect(roster.members.map(\.id) == [a, b, c])
        #expect(roster.notes == ["", "of b", ""])
        roster.remove(a)
        #expect(roster.place(of: b) == 0)
        #expect(roster.notes == ["of b", ""])
        #expect(roster.healthyEndpoints == [b])
    }

    @Test func add_ofAKnownEndpoint_leavesItAsItIs() {
        var roster = roster(a)
        roster.didBegin(a)
        let isNew = roster.add(a)
        #expect(!isNew)
        #expect(load(a, in: roster) == 1)
        #expect(roster.healthyEndpoints == [a])
    }

    @Test func load_countsWhatRunsAndWhatFailed() {
        var roster = roster(a, b)
        roster.didBegin(a)
        roster.didBegin(a)
        roster.didBegin(b)
        #expect(load(a, in: roster) == 2)
        roster.didEnd(a, fine, now: .zero)
        #expect(load(a, in: roster) == 1)
        roster.didEnd(b, failed, now: .zero)
        #expect(load(b, in: roster) == 10)
    }

    @Test func load_ofAttemptsGivenUp_isNeitherChargedNorForgiven() {
        var roster = roster(a)
        roster.didBegin(a)
        roster.didEnd(a, failed, now: .zero)
        roster.didBegin(a)
        let abandoned = BalancedAttempt(latency: .zero, hasFailed: false, wasAbandoned: true)
        roster.didEnd(a, abandoned, now: .zero)
        #expect(load(a, in: roster) == 10)
        roster.didEnd(a, fine, now: .zero)
        #expect(load(a, in: roster) == 9)
    }

    @Test func attempts_thatEndWithoutABegin_leaveNoDebt() {
        var roster = roster(a)
        roster.didEnd(a, fine, now: .zero)
        roster.didBegin(a)
        #expect(load(a, in: roster) == 1)
    }

    @Test func attempts_fromBeforeARemoval_doNotEndInTheCountOfLaterOnes() {
        var roster = roster(a)
        roster.didBegin(a)
        roster.remove(a)
        roster.didBegin(a)
        roster.add(a)
        roster.didBegin(a)
        #expect(load(a, in: roster) == 3)
        for _ in 0..<3 { roster.didEnd(a, fine, now: .zero) }
        #expect(load(a, in: roster) == 0)
    }

    @Test func attempts_thatEndAfterTheRemoval_areForgotten() {
        var roster = roster(a)
        roster.didBegin(a)
        roster.remove(a)
        roster.didEnd(a, fine, now: .zero)
        roster.didEnd(a, fine, now: .zero)
        roster.add(a)
        #expect(load(a, in: roster) == 0)
    }
}
