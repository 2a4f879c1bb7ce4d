/// What is to happen in a simulation, in order of time; at the same time, in order of scheduling.
///
/// A binary heap.
struct EventQueue<Event> {
    private struct Entry {
        let time: Double
        let order: Int
        let event: Event

        func precedes(_ other: Entry) -> Bool {
            time == other.time ? order < other.order : time < other.time
        }
    }

    private var heap: [Entry] = []
    private var scheduled = 0

    mutating func schedule(_ event: Event, at time: Double) {
        heap.append(Entry(time: time, order: scheduled, event: event))
        scheduled += 1
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (time: Double, event: Event)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return (first.time, first.event) }
        heap[0] = last
        var parent = 0
        while true {
            let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < heap.count }
            guard
                let least = children.min(by: { heap[$0].precedes(heap[$1]) }),
                heap[least].precedes(heap[parent])
            else { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return (first.time, first.event)
    }
}
