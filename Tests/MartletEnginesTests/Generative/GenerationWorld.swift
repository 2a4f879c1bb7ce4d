import MartletCore
import MartletTestKit

@testable import MartletEngines

/// What may happen in a simulated world.
struct WorldTraits {
    var cells = 8...160
    var sharing = PrefixSharing.byReference
    var adapters = 1
    var tenants = 1
    /// One of how many requests has another priority than normal; 0 for none.
    var priorities = 0
    var cancels = false
    var deadlines = false
    /// Whether steps fail, and requests that no step survives come along.
    var failures = false
    var drafts = false
    var waitingMax = 64
}

/// Clients, an engine and a clock that behave at random, and what they see broken.
struct GenerationWorld: SimulatedWorld {
    struct Client {
        let request: GenerationRequest
        let deadline: Duration?
        let isPoisoned: Bool
        /// What the engine must have seen when it chooses the next token.
        var history: UInt64
        var tokens: [TokenID]
        var generated: [TokenID] = []
        var hasStarted = false
        var cached = 0
        var end: SequenceEvent.Kind?
        var mayFail = false
    }

    static let vocabulary: TokenID = 12
    static let poison: TokenID = 11
    static let endToken: TokenID = 0

    private final class Verdict {
        var complaint: String?
    }

    let traits: WorldTraits
    var random: SeededGenerator
    var scheduler: GenerationScheduler
    var memory: FakeKVMemory
    var clients: [GenerationID: Client] = [:]
    var alive: [GenerationID] = []
    var now = Duration.seconds(1)
    var generatedTokens = 0
    var steps = 0
    /// Whether no more requests come.
    var isClosed = false
    /// Those that decoded before the step.
    var decoding: Set<GenerationID> = []
    /// Preemptions before the step.
    var preemptions = 0
    private let verdict = Verdict()

    init(seed: UInt64, traits: WorldTraits) {
        self.traits = traits
        random = SeededGenerator(seed: seed)
        let cells = Int.random(in: traits.cells, using: &random)
        let slots = Int.random(in: 1...8, using: &random)
        let isSplit = traits.sharing == .byCopy
        var settings = SchedulerSettings(
            cells: isSplit ? cells * slots : cells, slots: slots,
            contextTokensMax: Int.random(in: 4...max(4, cells), using: &random),
            stepTokensMax: Int.random(in: 1...40, using: &random),
            runningMax: Int.random(in: 1...8, using: &random))
        settings.contextTokensMax = min(settings.contextTokensMax, cells)
        settings.prefillShare = [0, 0.25, 0.5, 1].randomElement(using: &random) ?? 1
        let perPosition: Double = [0, 0.01, 1].randomElement(using: &random) ?? 0
        settings.expectedCost = TokenCost(perPosition: perPosition)
        settings.reserveCells = Int.random(in: 0...6, using: &random)
        settings.sharing = traits.sharing
        settings.deferralTokensMin = Int.random(in: 1...16, using: &random)
        settings.endTokens = [Self.endToken]
        settings.waitingMax = traits.waitingMax
        settings.vocabularySize = Int(Self.vocabulary)
        settings.abortsMax = 3
        if traits.drafts {
            settings.draftTokensMax = Int.random(in: 0...6, using: &random)
            settings.draftModelTokensMax = Int.random(in: 0...6, using: &random)
            settings.draftSequencesMax = Int.random(in: 1...8, using: &random)
        }
        scheduler = GenerationScheduler(settings)
        memory = FakeKVMemory(
            capacity: isSplit ? .max : cells, slots: scheduler.settings.slots, isSplit: isSplit)
    }

    var settings: SchedulerSettings { scheduler.settings }

    mutating func act() {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<3: submit()
        case 3 where traits.cancels: cancel()
        default: step()
        }
        now += .milliseconds(Int.random(in: 0...3, using: &random))
    }

    /// Lets everything come to its end.
    mutating func settle() {
        let due = alive.compactMap { clients[$0] }.reduce(64) {
            $0 + 4 * ($1.tokens.count + ($1.request.newTokensMax ?? settings.contextTokensMax)) + 16
        }
        let start = steps
        isClosed = true
        while complaint == nil, !alive.isEmpty, steps - start < due * 4 { step() }
        require(alive.isEmpty, "\(alive.count) requests do not end in \(steps - start) steps")
        let plan = scheduler.nextStep(now: now)
        for operation in plan.operations { apply(operation) }
        require(plan.chunks.isEmpty && plan.events.isEmpty, "there is work for nobody")
        let load = scheduler.load
        require(load.running == 0 && load.waiting == 0, "\(load.running) run for nobody")
        require(load.cellsNeeded == 0, "\(load.cellsNeeded) cells are needed by nobody")
        require(load.waitingTokens == 0, "\(load.waitingTokens) tokens wait for nobody")
        checkCells(beside: 0)
        checkCounters(load.counters)
    }

    /// The first promise that was broken.
    var complaint: String? { verdict.complaint }

    /// Changes nothing here, so that what it says may be read from here only when it is needed.
    func require(_ holds: Bool, _ otherwise: @autoclosure () -> String) {
        if !holds, verdict.complaint == nil { verdict.complaint = otherwise() }
    }

    // MARK: Clients

    mutating func submit() {
        let request = randomRequest()
        let deadline: Duration? =
            traits.deadlines && Int.random(in: 0..<3, using: &random) == 0
            ? now + .milliseconds(Int.random(in: 0...60, using: &random)) : nil
        let waiting = scheduler.load.waiting
        do {
            let id = try scheduler.submit(request, deadline: deadline, now: now)
            require(clients[id] == nil, "the name \(id) is given twice")
            require(waiting < settings.waitingMax, "\(waiting) wait, and one more is taken")
            require(deadline.map { $0 > now } ?? true, "a dead request is taken")
            var client = Client(
                request: request, deadline: deadline,
                isPoisoned: request.prompt.contains(Self.poison), history: root(of: request),
                tokens: request.prompt)
            for token in request.prompt {
                client.history = FakeKVMemory.mix(client.history, token)
            }
            clients[id] = client
            alive.append(id)
        } catch {
            let wrong = settings.complaint(
                of: error, of: request, deadline: deadline, now: now, waiting: waiting)
            require(wrong == nil, wrong ?? "")
        }
    }

    mutating func cancel() {
        guard let id = alive.randomElement(using: &random) else { return }
        let event = scheduler.cancel(id, now: now)
        require(event?.id == id, "cancelling \(id) says nothing")
        if let event { take(event) }
        require(scheduler.cancel(id, now: now) == nil, "\(id) is cancelled twice")
    }

    private mutating func randomRequest() -> GenerationRequest {
        // Few beginnings, so that prompts have much in common.
        let family = Int.random(in: 0..<3, using: &random)
        let common = Int.random(in: 0...30, using: &random)
        var prompt = (0..<common).map { TokenID(($0 * (family + 1)) % 9 + 1) }
        for _ in 0..<Int.random(in: 0...10, using: &random) {
            prompt.append(TokenID.random(in: 0..<5, using: &random))
        }
        if traits.failures, Int.random(in: 0..<25, using: &random) == 0 {
            prompt.append(Self.poison)
        }
        var request = GenerationRequest(prompt: prompt)
        request.newTokensMax =
            Int.random(in: 0..<5, using: &random) == 0
            ? nil : Int.random(in: 1...25, using: &random)
        request.tenant = "t\(Int.random(in: 0..<traits.tenants, using: &random))"
        let adapter = Int.random(in: 0..<traits.adapters, using: &random)
        if adapter > 0 { request.adapter = "a\(adapter)" }
        request.usesPrefixCache = Int.random(in: 0..<8, using: &random) > 0
        request.ignoresEndTokens = Int.random(in: 0..<4, using: &random) == 0
        if traits.priorities > 0, Int.random(in: 0..<traits.priorities, using: &random) == 0 {
            request.priority = Bool.random(using: &random) ? .high : .low
        }
        return request
    }

    func root(of request: GenerationRequest) -> UInt64 {
        let text = (request.adapter ?? "-") + request.tenant
        return text.utf8.reduce(1) { FakeKVMemory.mix($0, TokenID($1)) }
    }
}
