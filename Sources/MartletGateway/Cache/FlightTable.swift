/// Names one asker of an answer that is under way.
struct FlightTicket: Hashable, Sendable {
    /// Which answer.
    let flight: UInt64
    /// Which asker; never used twice.
    let asker: UInt64
}

/// The answers that are under way: one asker leads and gets it, those who ask the same follow.
///
/// A flight that newcomers do not join any more is detached: its followers still get its answer,
/// but it is not to be stored. Source: the `singleflight` package of Go's groupcache (Fitzpatrick,
/// 2013), with bounds, and with one new leader where all callers there share the failure.
struct FlightTable: Sendable {
    /// An answer under way.
    struct Flight: Sendable {
        /// What is asked for.
        let key: CacheKey
        /// The slot of the model's record, which the flight holds.
        let model: Int
        /// The model's generation when the flight began.
        let generation: UInt64
        /// Who gets the answer.
        fileprivate(set) var leader: UInt64
        /// Since when.
        fileprivate(set) var ledSince: Duration
        /// Who waits, in order of arrival.
        fileprivate(set) var followers: [UInt64] = []
        /// The flight whose leader kept others waiting for too long when this one began.
        fileprivate(set) var earlier: UInt64?
    }

    /// A flight that has ended.
    struct Ended: Sendable {
        let flight: Flight
        /// Whether newcomers would still have joined it.
        let wasOpen: Bool
        /// Who waited for it, in order of arrival; then those of flights that it took over from.
        let followers: [FlightTicket]
    }

    /// What becomes of a flight that an asker leaves.
    enum Departure: Sendable {
        /// The asker was not, or no longer, part of it.
        case unknown
        /// It goes on as before.
        case unchanged
        /// The asker led, and this one leads now.
        case handedOver(FlightTicket)
        /// The asker led, and nobody followed.
        case ended(Flight)
    }

    private var flights: [UInt64: Flight] = [:]
    private var open: [CacheKey: UInt64] = [:]
    private var lastNumber: UInt64 = 0

    /// How many answers are under way.
    var count: Int { flights.count }

    /// The flight that those who ask for a key join; nil if there is none.
    func openFlight(for key: CacheKey) -> Flight? { open[key].flatMap { flights[$0] } }

    /// The flight that an asker leads, if newcomers join it; nil if there is none.
    func openFlight(ledBy ticket: FlightTicket) -> Flight? {
        guard let flight = flights[ticket.flight], flight.leader == ticket.asker,
            open[flight.key] == ticket.flight
        else { return nil }
        return flight
    }

    /// Begins a flight; one that was open for the same key is detached.
    ///
    /// Where it takes over from that one, its answer is for those who wait there, too.
    mutating func lead(
        _ key: CacheKey, model: Int, generation: UInt64, takesOver: Bool = false, now: Duration
    ) -> FlightTicket {
        let ticket = FlightTicket(flight: nextNumber(), asker: nextNumber())
        flights[ticket.flight] = Flight(
            key: key, model: model, generation: generation, leader: ticket.asker, ledSince: now,
            earlier: takesOver ? open[key] : nil)
        open[key] = ticket.flight
        return ticket
    }

    /// Joins the open flight of a key; nil if there is none.
    mutating func follow(_ key: CacheKey) -> FlightTicket? {
        guard let number = open[key], flights[number] != nil else { return nil }
        let ticket = FlightTicket(flight: number, asker: nextNumber())
        flights[number]?.followers.append(ticket.asker)
        return ticket
    }

    /// Ends the flight that an asker leads; nil if it leads none.
    mutating func end(_ ticket: FlightTicket) -> Ended? {
        guard let flight = flights[ticket.flight], flight.leader == ticket.asker else { return nil }
        flights[ticket.flight] = nil
        let wasOpen = close(ticket.flight, of: flight.key)
        var followers = flight.followers.map { FlightTicket(flight: ticket.flight, asker: $0) }
        var earlier = flight.earlier
        while let number = earlier, let older = flights[number] {
            followers += older.followers.map { FlightTicket(flight: number, asker: $0) }
            flights[number]?.followers = []
            earlier = older.earlier
        }
        return Ended(flight: flight, wasOpen: wasOpen, followers: followers)
    }

    /// Takes an asker out; if it led, the one that has waited the longest leads from now on.
    mutating func leave(_ ticket: FlightTicket, now: Duration) -> Departure {
        guard let flight = flights[ticket.flight] else { return .unknown }
        guard flight.leader == ticket.asker else {
            guard let place = flight.followers.firstIndex(of: ticket.asker) else { return .unknown }
            flights[ticket.flight]?.followers.remove(at: place)
            return .unchanged
        }
        guard let next = flight.followers.first else {
            flights[ticket.flight] = nil
            _ = close(ticket.flight, of: flight.key)
            return .ended(flight)
        }
        flights[ticket.flight]?.followers.removeFirst()
        flights[ticket.flight]?.leader = next
        flights[ticket.flight]?.ledSince = now
        return .handedOver(FlightTicket(flight: ticket.flight, asker: next))
    }

    /// Detaches the flights of the keys that `isMeant` is true of.
    mutating func detach(where isMeant: (CacheKey) -> Bool) {
        open = open.filter { !isMeant($0.key) }
    }

    /// Whether an asker leads a flight.
    func leads(_ ticket: FlightTicket) -> Bool {
        flights[ticket.flight]?.leader == ticket.asker
    }

    /// Sees to it that nobody joins a flight any more; false if nobody would have.
    private mutating func close(_ number: UInt64, of key: CacheKey) -> Bool {
        guard open[key] == number else { return false }
        open[key] = nil
        return true
    }

    private mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }
}
