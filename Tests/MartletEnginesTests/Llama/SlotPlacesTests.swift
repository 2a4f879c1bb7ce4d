import Testing

@testable import MartletEngines

@Suite("Where sequences lie in split memory")
struct SlotPlacesTests {
    @Test func slotsThatBegin_lieNextToOneAnother() {
        var places = SlotPlaces(count: 8)
        #expect(places.settle([5, 7]).map { [$0.0, $0.1] } == [[7, 6]])
        #expect([places[5], places[7], places[6]] == [5, 6, 7])
        // Those that run stay where they are.
        #expect(places.settle([5, 7]).isEmpty)
        #expect(places.settle([5, 7, 0]).map { [$0.0, $0.1] } == [[0, 7]])
        #expect(places.settle([5, 7, 0, 1]).map { [$0.0, $0.1] } == [[1, 4]])
    }

    @Test func slotThatRunsAlone_isNotMoved() {
        var places = SlotPlaces(count: 8)
        #expect(places.settle([6]).isEmpty)
        #expect(places.settle([3]).isEmpty)
    }

    @Test func slotThatLiesThere_isNotMoved() {
        var places = SlotPlaces(count: 4)
        #expect(places.settle([0, 1, 2]).isEmpty)
        #expect(places.settle([1, 0]).isEmpty)
    }

    @Test func gapOfOneThatLeft_isFilled() {
        var places = SlotPlaces(count: 8)
        #expect(places.settle([0, 1, 2]).isEmpty)
        #expect(places.settle([0, 2, 7]).map { [$0.0, $0.1] } == [[7, 1]])
    }

    /// Of slots that all begin together, none lies apart.
    @Test(arguments: 0..<50) func slotsOfAStep_followOneAnother(seed: UInt64) {
        var random = SeededRandom(seed)
        var places = SlotPlaces(count: 12)
        for _ in 0..<20 {
            let size = Int.random(in: 1...12, using: &random)
            let slots = Array((0..<SlotID(12)).shuffled(using: &random).prefix(size))
            _ = places.settle([])
            _ = places.settle(slots)
            let numbers = slots.map { places[$0] }.sorted()
            #expect(numbers.last.map { $0 - numbers[0] } == SlotID(size - 1))
        }
    }

    @Test func unknownSlot_isItsOwnPlace() {
        var places = SlotPlaces(count: 2)
        #expect(places.settle([9]).isEmpty)
        #expect(places[9] == 9)
        #expect(places[-1] == -1)
    }

    /// Whatever happens, each slot has one place, and exchanges lead there.
    @Test(arguments: 0..<50) func places_areAlwaysAPermutation(seed: UInt64) {
        var random = SeededRandom(seed)
        let count = Int.random(in: 1...12, using: &random)
        var places = SlotPlaces(count: count)
        // What lies at each of the engine's sequences: the slot whose cells they are.
        var cells = (0..<SlotID(count)).map { $0 }
        for _ in 0..<40 {
            let size = Int.random(in: 0...count, using: &random)
            let slots = Array((0..<SlotID(count)).shuffled(using: &random).prefix(size))
            for (first, second) in places.settle(slots) { cells.swapAt(Int(first), Int(second)) }
            for slot in 0..<SlotID(count) { #expect(cells[Int(places[slot])] == slot) }
        }
    }

    private struct SeededRandom: RandomNumberGenerator {
        private var state: UInt64

        init(_ seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }
}
