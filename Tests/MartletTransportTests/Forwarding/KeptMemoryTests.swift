import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("The memory of answers that wait for their clients", .timeLimit(.minutes(10)))
struct KeptMemoryTests {
    @Test func memory_isGivenBackWithItsLastReference() {
        let budget = ReplayBudget(bytes: 10)
        #expect(budget.reserve(8))
        var memory: KeptMemory? = KeptMemory(bytes: 8, of: budget)
        #expect(memory?.bytes == 8)
        #expect(!budget.reserve(8))
        memory = nil
        #expect(budget.reserve(8))
    }
}
