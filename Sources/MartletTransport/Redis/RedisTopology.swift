/// Which server owns which slot of a cluster.
struct RedisTopology: Sendable, Equatable {
    /// All servers known, replicas included.
    private(set) var servers: Set<RedisAddress> = []
    /// By slot, the owner's place in `masters`; what lies beyond means that nobody is known.
    private var owners = [UInt16](repeating: .max, count: RedisSlot.count)
    private var masters: [RedisAddress] = []
    private let serversMax: Int

    /// Nothing is known yet.
    init(serversMax: Int) {
        // Places are numbers of 16 bits.
        self.serversMax = min(max(1, serversMax), Int(UInt16.max) - 1)
    }

    /// Reads the reply to `CLUSTER SLOTS`.
    ///
    /// Redis 7 prefers `CLUSTER SHARDS`, but all versions know this one, and it names the ports
    /// that fit the connection, encrypted or not.
    ///
    /// - Returns: nil for a reply that is none, or that gives nobody a slot.
    init?(slots reply: RedisReply, from server: RedisAddress, serversMax: Int) {
        self.init(serversMax: serversMax)
        guard let ranges = reply.elements else { return nil }
        for range in ranges {
            guard let fields = range.elements, fields.count >= 3,
                let first = fields[0].integer, let last = fields[1].integer,
                first >= 0, first <= last, last < RedisSlot.count
            else { return nil }
            let addresses = fields[2...].map { RedisTopology.address($0, from: server) }
            for case .some(let address) in addresses where servers.count < self.serversMax {
                servers.insert(address)
            }
            guard case .some(.some(let master)) = addresses.first else { continue }
            for slot in Int(first)...Int(last) { assign(slot, to: master) }
        }
        guard !masters.isEmpty else { return nil }
    }

    /// Who owns a slot; nil if that is not known.
    func owner(of slot: Int) -> RedisAddress? {
        guard owners.indices.contains(slot) else { return nil }
        let place = Int(owners[slot])
        return masters.indices.contains(place) ? masters[place] : nil
    }

    /// Notes a new owner; one too many is not noted.
    mutating func assign(_ slot: Int, to address: RedisAddress) {
        guard owners.indices.contains(slot) else { return }
        if owner(of: slot) == address { return }
        if let place = masters.firstIndex(of: address) {
            owners[slot] = UInt16(place)
        } else if masters.count < serversMax {
            owners[slot] = UInt16(masters.count)
            masters.append(address)
            servers.insert(address)
        }
    }

    /// A server in the reply: host, port, and what is of no use here.
    private static func address(
        _ reply: RedisReply, from server: RedisAddress
    ) -> RedisAddress? {
        guard let fields = reply.elements, fields.count >= 2,
            let port = fields[1].integer.flatMap({ Int(exactly: $0) })
        else { return nil }
        // A null host: "where you asked me".
        guard let host = fields[0].isNull ? "" : fields[0].text else { return nil }
        return RedisAddress(host: host, port: port, from: server)
    }
}

/// Decides when a cluster is asked who owns what: when there is cause, at an interval otherwise,
/// never more often than allowed, and once at a time.
struct RedisTopologySchedule: Sendable {
    private let intervalMin: Duration
    private let interval: Duration
    private var isWanted = true
    private var isRunning = false
    private var begun: Duration?

    init(intervalMin: Duration, interval: Duration) {
        self.intervalMin = max(.zero, intervalMin)
        self.interval = max(self.intervalMin, interval)
    }

    /// Something happened that says the topology may be another.
    mutating func want() { isWanted = true }

    /// Whether to ask now; then it counts as begun.
    mutating func begin(now: Duration) -> Bool {
        guard !isRunning else { return false }
        if let begun {
            guard now - begun >= (isWanted ? intervalMin : interval) else { return false }
        }
        isRunning = true
        isWanted = false
        begun = now
        return true
    }

    /// The question that was begun is over; without an answer it is to be asked again.
    mutating func end(isAnswered: Bool) {
        isRunning = false
        if !isAnswered { isWanted = true }
    }
}
