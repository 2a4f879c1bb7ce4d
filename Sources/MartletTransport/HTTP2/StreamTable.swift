/// Values by stream: a hash table that makes use of identifiers which count up.
struct StreamTable<Value> {
    // 0 marks a free place: it is the connection's own identifier.
    private var identifiers: ContiguousArray<UInt32>
    private var values: ContiguousArray<Value?>
    private var mask: Int
    private(set) var count = 0

    init() {
        identifiers = ContiguousArray(repeating: 0, count: 16)
        values = ContiguousArray(repeating: nil, count: 16)
        mask = 15
    }

    var isEmpty: Bool { count == 0 }

    /// All streams, in no order.
    var streams: [UInt32] { identifiers.filter { $0 != 0 } }

    /// The value of a stream; changed in place.
    ///
    /// Setting `nil` is for ``remove(_:)`` to do.
    subscript(stream: UInt32) -> Value? {
        _read { yield values[place(of: stream)] }
        _modify { yield &values[place(of: stream)] }
    }

    func contains(_ stream: UInt32) -> Bool {
        stream != 0 && identifiers[place(of: stream)] == stream
    }

    mutating func insert(_ value: Value, for stream: UInt32) {
        if 2 * (count + 1) > identifiers.count { grow() }
        let place = place(of: stream)
        if identifiers[place] == 0 { count += 1 }
        identifiers[place] = stream
        values[place] = value
    }

    @discardableResult
    mutating func remove(_ stream: UInt32) -> Value? {
        var hole = place(of: stream)
        guard stream != 0, identifiers[hole] == stream else { return nil }
        let removed = values[hole]
        count -= 1
        // What was pushed aside by the one that leaves moves up.
        var next = (hole + 1) & mask
        while identifiers[next] != 0 {
            let home = home(of: identifiers[next])
            if (next - home) & mask >= (next - hole) & mask {
                identifiers[hole] = identifiers[next]
                values.swapAt(hole, next)
                hole = next
            }
            next = (next + 1) & mask
        }
        identifiers[hole] = 0
        values[hole] = nil
        return removed
    }

    /// Changes all values.
    mutating func update<Failure: Error>(
        _ change: (UInt32, inout Value) throws(Failure) -> Void
    ) throws(Failure) {
        for place in identifiers.indices where identifiers[place] != 0 {
            guard var value = values[place] else { continue }
            values[place] = nil
            defer { values[place] = value }
            try change(identifiers[place], &value)
        }
    }

    // Clients count in odd numbers.
    private func home(of stream: UInt32) -> Int { Int(stream >> 1) & mask }

    /// Where a stream is, or the free place where it would be.
    private func place(of stream: UInt32) -> Int {
        var place = home(of: stream)
        while identifiers[place] != stream, identifiers[place] != 0 { place = (place + 1) & mask }
        return place
    }

    private mutating func grow() {
        let (oldIdentifiers, oldValues) = (identifiers, values)
        identifiers = ContiguousArray(repeating: 0, count: 2 * oldIdentifiers.count)
        values = ContiguousArray(repeating: nil, count: 2 * oldIdentifiers.count)
        mask = identifiers.count - 1
        for (stream, value) in zip(oldIdentifiers, oldValues) where stream != 0 {
            let place = place(of: stream)
            identifiers[place] = stream
            values[place] = value
        }
    }
}
