import MartletCore

/// Says which of two engines a request goes to, and which one has it.
///
/// A request that the second one could not go on with is moved to the first, once, as long as no
/// token of it was told. It keeps its name, so that whoever cancels it need not know.
struct EngineRouting: Sendable {
    /// One of the engines.
    enum Place: Int, Sendable {
        /// The one that is faster with one sequence.
        case alone
        /// The one that is faster with several.
        case many
    }

    /// What follows from a failure.
    enum Outcome: Sendable, Equatable {
        /// The client is told.
        case told
        /// The first engine is to have it.
        case moved
        /// It was cancelled meanwhile.
        case unwanted(FinishReason)
    }

    private struct Entry {
        var place: Place
        /// What the engine calls it; `nil` until that is known.
        var own: GenerationID?
        /// Whether the client knows that it has left a queue, and a token of it.
        var hasStarted = false
        var hasToken = false
        /// Why its client wants it no more.
        var unwanted: FinishReason?
    }

    /// Requests that each has, waiting or running.
    private(set) var open = [0, 0]
    /// Requests that have not ended, by the pair's names.
    private var entries: [GenerationID: Entry] = [:]
    private var nextNumber: UInt64 = 0

    /// Requests that have not ended.
    var count: Int { entries.count }

    /// Names a request that comes, and chooses for it.
    ///
    /// Sequences that come together all go to the engine that is faster with several: two engines
    /// would say different things by one seed, depending on which sequence ends first.
    ///
    /// - Parameter sequences: how many come together.
    /// - Returns: its name, and where it goes.
    mutating func begin(of sequences: Int) -> (id: GenerationID, place: Place) {
        let place: Place = open == [0, 0] && sequences == 1 ? .alone : .many
        nextNumber += 1
        let id = GenerationID(number: nextNumber)
        entries[id] = Entry(place: place)
        open[place.rawValue] += 1
        return (id, place)
    }

    /// The engine has taken a request.
    ///
    /// - Returns: why it is to be cancelled there at once, if it is.
    mutating func didSubmit(
        _ id: GenerationID, as own: GenerationID, to place: Place
    ) -> FinishReason? {
        // It may have ended by now, or be elsewhere.
        guard entries[id]?.place == place else { return nil }
        entries[id]?.own = own
        return entries[id]?.unwanted
    }

    /// The engine has refused a request at the door.
    ///
    /// - Returns: whether the first one is to have it.
    mutating func didRefuse(_ id: GenerationID, _ refusal: GenerationRefusal) -> Bool {
        guard entries[id]?.place == .many, EngineRouting.isWorthAnotherTry(refusal.error) else {
            end(id)
            return false
        }
        move(id)
        return true
    }

    /// A request has left a queue.
    ///
    /// - Returns: whether the client does not know it yet.
    mutating func didStart(_ id: GenerationID) -> Bool {
        guard let entry = entries[id], !entry.hasStarted else { return false }
        entries[id]?.hasStarted = true
        return true
    }

    /// A token of a request was made: it stays where it is.
    mutating func didMakeToken(_ id: GenerationID) { entries[id]?.hasToken = true }

    /// An engine could not do a request.
    mutating func didFail(_ id: GenerationID, _ error: ServingError) -> Outcome {
        guard let entry = entries[id], entry.place == .many, !entry.hasToken,
            EngineRouting.isWorthAnotherTry(error)
        else {
            end(id)
            return .told
        }
        if let reason = entry.unwanted {
            end(id)
            return .unwanted(reason)
        }
        move(id)
        return .moved
    }

    /// The client wants a request no more.
    ///
    /// - Returns: where to cancel it; `nil` if that is not known yet, or it has ended.
    mutating func cancel(
        _ id: GenerationID, reason: FinishReason
    ) -> (place: Place, own: GenerationID)? {
        guard let entry = entries[id] else { return nil }
        if entry.unwanted == nil { entries[id]?.unwanted = reason }
        return entry.own.map { (entry.place, $0) }
    }

    /// A request has ended.
    mutating func end(_ id: GenerationID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        open[entry.place.rawValue] -= 1
    }

    private mutating func move(_ id: GenerationID) {
        entries[id]?.place = .alone
        entries[id]?.own = nil
        open[Place.many.rawValue] -= 1
        open[Place.alone.rawValue] += 1
    }

    /// Whether the other engine may do what one has refused: the one does not know it, or has no
    /// worker just now.
    ///
    /// Where a queue is full, clients are to hear it.
    private static func isWorthAnotherTry(_ error: ServingError) -> Bool {
        switch error.code {
        case .invalidArgument, .notFound, .unimplemented, .unavailable: true
        default: false
        }
    }
}
