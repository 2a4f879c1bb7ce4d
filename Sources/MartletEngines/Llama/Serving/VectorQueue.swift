/// Texts of several requests that wait for their vectors, and whose turn it is.
///
/// Texts are computed in groups, one group at a time, each led by a request: that whose turn it is.
/// A group has the leader's next text, and besides what fits of all requests, one text of each in
/// turn: so one of thousands of texts keeps none of a few waiting. Requests of which a group has
/// texts go behind those of which it has none.
///
/// Where a group fails that several requests share, each of them gets a group of its own next:
/// whose text broke it fails by itself, and ends no others.
///
/// A pure state machine; see ``VectorBatcher``.
struct VectorQueue: Sendable {
    /// What fits into a group.
    struct Bounds: Sendable, Equatable {
        /// Texts, at least 1.
        var sequences: Int
        /// Tokens of them all; a text alone never has more.
        var tokens: Int
    }

    /// A request, by the order in which it came.
    typealias RequestID = Int

    /// Whose a text is, and which of its texts.
    struct Place: Sendable, Hashable {
        let request: RequestID
        let index: Int
    }

    /// Texts that are computed together.
    struct Group: Sendable, Hashable {
        fileprivate(set) var places: [Place] = []
        /// The tokens of each.
        fileprivate(set) var prompts: [[TokenID]] = []

        /// Whose texts it has, in order.
        fileprivate var requests: [RequestID] {
            var seen: Set<RequestID> = []
            return places.map(\.request).filter { seen.insert($0).inserted }
        }
    }

    /// What became of a request.
    enum Outcome: Sendable {
        /// All its vectors, in order.
        case vectors([[Float]])
        /// A group that had its texts alone failed.
        case failure(any Error)
    }

    private struct Request: Sendable {
        let prompts: [[TokenID]]
        /// The first text that is in no group yet.
        var next = 0
        /// The first text that was in no group ever.
        var begun = 0
        /// Whether it is to have a group of its own, as one that it shared has failed.
        var isApart = false
        /// Texts that are not computed yet.
        var left: Int
        var vectors: [[Float]]
        var failure: (any Error)?

        var isOver: Bool { left == 0 || failure != nil }
    }

    let bounds: Bounds
    /// The request whose turn it is; nil where none waits.
    private(set) var leader: RequestID?
    /// What it is busy with; each text counts as a sequence.
    private(set) var load = GenerationLoad()

    private var requests: [RequestID: Request] = [:]
    /// Those with texts in no group yet, from the one whose turn is next.
    private var line: [RequestID] = []
    private var lastID = 0
    /// Texts of the group that is being computed, none of them twice.
    private var computing: Group?

    /// Nobody waits yet.
    init(bounds: Bounds) {
        self.bounds = bounds
    }

    /// Takes a request in, whose texts each fit into a group.
    mutating func add(_ prompts: [[TokenID]]) -> RequestID {
        lastID += 1
        requests[lastID] = Request(
            prompts: prompts, left: prompts.count,
            vectors: Array(repeating: [], count: prompts.count))
        guard !prompts.isEmpty else { return lastID }
        load.waiting += prompts.count
        load.waitingTokens += VectorQueue.tokens(of: prompts[...])
        line.append(lastID)
        if leader == nil { leader = lastID }
        return lastID
    }

    /// What became of a request, which is forgotten then; nil while it is not over.
    mutating func takeOutcome(of id: RequestID) -> Outcome? {
        guard let request = requests[id], request.isOver else { return nil }
        requests[id] = nil
        if let failure = request.failure { return .failure(failure) }
        return .vectors(request.vectors)
    }

    /// Forgets a request that is wanted no more; what a group has of it is computed for nobody.
    ///
    /// - Returns: the request whose turn it is thereby.
    mutating func remove(_ id: RequestID) -> RequestID? {
        guard let request = requests.removeValue(forKey: id) else { return nil }
        leaveLine(id, request)
        guard leader == id, computing == nil else { return nil }
        leader = line.first
        return leader
    }

    /// The next group, if it is this request's turn to compute it; it ends by ``finish(_:)``.
    mutating func group(ledBy id: RequestID) -> Group? {
        guard leader == id, computing == nil else { return nil }
        let group = takeGroup()
        computing = group
        load.running += group.prompts.count
        load.counters.steps += 1
        return group
    }

    /// Takes in what came of the group that was being computed.
    ///
    /// - Parameter result: a vector for each of its texts.
    /// - Returns: the requests that are over, and the one whose turn it is now.
    mutating func finish(_ result: Result<[[Float]], any Error>) -> [RequestID] {
        guard let group = computing else { return [] }
        computing = nil
        load.running -= group.prompts.count
        var told: [RequestID] = []
        switch result {
        case .success(let vectors):
            load.counters.decodedTokens += VectorQueue.tokens(of: group.prompts[...])
            for (place, vector) in zip(group.places, vectors) {
                requests[place.request]?.vectors[place.index] = vector
                requests[place.request]?.left -= 1
                requests[place.request]?.isApart = false
                if requests[place.request]?.left == 0 { told.append(place.request) }
            }
        case .failure(let error):
            load.counters.failedSteps += 1
            let members = group.requests
            if members.count > 1 {
                takeApart(group)
            } else if let id = members.first, let request = requests[id] {
                leaveLine(id, request)
                requests[id]?.failure = error
                told.append(id)
            }
        }
        leader = line.first
        if let leader { told.append(leader) }
        return told
    }

    // MARK: Groups

    private mutating func takeGroup() -> Group {
        var group = Group()
        var tokens = 0
        var served: Set<RequestID> = []
        let members = members
        var takesMore = true
        while takesMore {
            takesMore = false
            for id in members {
                guard group.prompts.count < max(1, bounds.sequences) else { break }
                guard let request = requests[id], request.next < request.prompts.count else {
                    continue
                }
                let prompt = request.prompts[request.next]
                guard group.prompts.isEmpty || tokens + prompt.count <= bounds.tokens else {
                    continue
                }
                tokens += prompt.count
                group.places.append(Place(request: id, index: request.next))
                group.prompts.append(prompt)
                didBegin(request.next, of: id, tokens: prompt.count)
                served.insert(id)
                takesMore = true
            }
        }
        load.waiting -= group.prompts.count
        load.waitingTokens -= tokens
        moveBack(served)
        return group
    }

    /// Those that the next group may have texts of, from the one whose turn it is.
    private var members: [RequestID] {
        func isApart(_ id: RequestID) -> Bool { requests[id]?.isApart ?? false }
        guard let first = line.first, isApart(first) else { return line.filter { !isApart($0) } }
        return [first]
    }

    /// Notes that a text is in a group; its tokens count once, however often it is tried.
    private mutating func didBegin(_ index: Int, of id: RequestID, tokens: Int) {
        requests[id]?.next = index + 1
        guard let begun = requests[id]?.begun, index >= begun else { return }
        requests[id]?.begun = index + 1
        load.counters.promptTokens += tokens
    }

    /// Puts the texts of a group that failed back, before all others, for a group of each request.
    private mutating func takeApart(_ group: Group) {
        for (place, prompt) in zip(group.places, group.prompts) {
            guard let request = requests[place.request] else { continue }
            requests[place.request]?.next = min(request.next, place.index)
            requests[place.request]?.isApart = true
            load.waiting += 1
            load.waitingTokens += prompt.count
        }
        let back = group.requests.filter { requests[$0] != nil }
        line = back + line.filter { !back.contains($0) }
    }

    /// Puts requests behind the others, and those out of line that have no more texts.
    private mutating func moveBack(_ served: Set<RequestID>) {
        let unserved = line.filter { !served.contains($0) }
        let left = line.filter { id in
            served.contains(id) && requests[id].map { $0.next < $0.prompts.count } ?? false
        }
        line = unserved + left
    }

    private mutating func leaveLine(_ id: RequestID, _ request: Request) {
        guard let place = line.firstIndex(of: id) else { return }
        line.remove(at: place)
        let rest = request.prompts[request.next...]
        load.waiting -= rest.count
        load.waitingTokens -= VectorQueue.tokens(of: rest)
    }

    private static func tokens(of prompts: ArraySlice<[TokenID]>) -> Int {
        prompts.reduce(0) { $0 + $1.count }
    }
}
