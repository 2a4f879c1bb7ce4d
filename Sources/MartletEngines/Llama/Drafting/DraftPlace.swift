/// A sequence that a draft model remembers.
struct DraftPlace: Sendable, Equatable {
    /// Whose it is; `nil` if nobody's.
    var id: GenerationID?
    /// The tokens that have a cell.
    var tokens: [TokenID] = []
    /// When it was used last.
    var turn = 0
}

extension [DraftPlace] {
    /// Gives a sequence a place: its own, else that which was not used for the longest time.
    ///
    /// - Parameters:
    ///   - wish: the sequence.
    ///   - wishes: all that want one now; they do not take each other's.
    ///   - turn: the number of this time.
    /// - Returns: the place; `nil` if all are taken.
    mutating func take(for wish: DraftWish, among wishes: [DraftWish], turn: Int) -> Int? {
        let own = firstIndex { $0.id == wish.id }
        let free = indices.filter { index in
            self[index].turn < turn && !wishes.contains { $0.id == self[index].id }
        }
        guard let place = own ?? free.min(by: { self[$0].turn < self[$1].turn }) else {
            return nil
        }
        self[place].id = wish.id
        self[place].turn = turn
        return place
    }
}
