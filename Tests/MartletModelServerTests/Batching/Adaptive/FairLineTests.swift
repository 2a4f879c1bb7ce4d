import Testing

@testable import MartletModelServer

@Suite("Fair line")
final class FairLineTests {
    private let start = ContinuousClock.now
    private var line = FairLine()
    private var waiting: [UInt64: String] = [:]

    private func add(_ number: UInt64, _ tenant: String, due: Int = 0) {
        waiting[number] = tenant
        line.add(TaskPlace(due: start + .milliseconds(due), number: number), tenant: tenant)
    }

    private func next(rows: Int = 1) -> UInt64? {
        let waiting = waiting
        guard let place = line.first(isWaiting: { waiting[$0] != nil }) else { return nil }
        line.serve(rows: rows, isLast: true)
        self.waiting[place.number] = nil
        return place.number
    }

    @Test func tasksOfATenant_goByWhatIsDueFirst() {
        add(1, "a", due: 30)
        add(2, "a", due: 10)
        add(3, "a", due: 20)
        #expect([next(), next(), next(), next()] == [2, 3, 1, nil])
    }

    @Test func tenants_takeTurns() {
        for number in 1...4 { add(UInt64(number), "a") }
        add(5, "b")
        add(6, "b")
        #expect([next(), next(), next(), next(), next(), next()] == [1, 5, 2, 6, 3, 4])
    }

    @Test func turns_countRows() {
        for number in 1...6 { add(UInt64(number), number < 3 ? "a" : "b") }
        #expect(next(rows: 3) == 1)
        #expect([next(), next(), next()] == [3, 4, 5])
        #expect(next() == 2)
    }

    @Test func aTenantThatRested_hasNoCredit() {
        for number in 1...20 { add(UInt64(number), "a") }
        for _ in 0..<10 { _ = next() }
        for number in 21...30 { add(UInt64(number), "b") }
        let order = (0..<6).compactMap { _ in next() }
        #expect(order.filter { $0 > 20 }.count == 3)
    }

    @Test func tasksThatLeft_arePassedOver() {
        add(1, "a", due: 1)
        add(2, "a", due: 2)
        waiting[1] = nil
        line.didRemove(tenant: "a")
        #expect(line.tasks == 1)
        #expect(next() == 2)
        #expect(next() == nil)
    }
}
