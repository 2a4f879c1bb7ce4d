import MartletCore
import MartletTestKit

@testable import MartletEngines

/// What may happen in a simulated world of OpenVINO GenAI.
struct GenAITraits {
    var cells = 40...600
    var sharing = PrefixSharing.byReference
    var tenants = 1
    /// One of how many requests has another priority than normal; 0 for none.
    var priorities = 0
    var cancels = false
    var deadlines = false
    /// Whether the worker ends now and then, and is started again.
    var crashes = false
    /// Whether the worker refuses requests, goes on behind their end, and runs out of memory.
    var quirks = false
    var waitingMax = 64
}

/// Clients, a worker and a clock that behave at random, around a ``GenAIScheduler``; and what they
/// see broken.
///
/// What node and worker tell each other arrives later, as it does by a socket.
struct GenAIWorld: SimulatedWorld {
    struct Client {
        let request: GenerationRequest
        let deadline: Duration?
        let newTokensMax: Int
        var cancelReason: FinishReason?
        var hasStarted = false
        var cached = 0
        var tokens: [TokenID] = []
        var hasEnded = false
    }

    static let vocabulary: TokenID = 12
    static let endToken: TokenID = 2
    static let stopToken: TokenID = 3

    private final class Verdict {
        var complaint: String?
    }

    let traits: GenAITraits
    var random: SeededGenerator
    var scheduler: GenAIScheduler
    var clients: [GenerationID: Client] = [:]
    /// Those that have not ended, in their order.
    var alive: [GenerationID] = []
    var now = Duration.seconds(1)
    var refusals = 0
    var crashes = 0
    var worker = Worker()
    /// Between a crash and the next start.
    var isDown = false
    /// Why requests end that nobody asked to.
    var excuse: Excuse?
    private let verdict = Verdict()

    enum Excuse { case crash, unload }

    init(seed: UInt64, traits: GenAITraits) {
        self.traits = traits
        random = SeededGenerator(seed: seed)
        var settings = SchedulerSettings(
            cells: Int.random(in: traits.cells, using: &random), slots: SlotSet.capacity,
            contextTokensMax: Int.random(in: 4...160, using: &random), stepTokensMax: 64,
            runningMax: Int.random(in: 1...6, using: &random))
        settings.sharing = traits.sharing
        settings.endTokens = [Self.endToken]
        settings.vocabularySize = Int(Self.vocabulary)
        settings.waitingMax = traits.waitingMax
        scheduler = GenAIScheduler(settings)
    }

    var settings: SchedulerSettings { scheduler.settings }
    var running: [GenerationID] { alive.filter { clients[$0]?.hasStarted == true } }
    var waiting: [GenerationID] { alive.filter { clients[$0]?.hasStarted == false } }

    /// The first promise that was broken.
    var complaint: String? { verdict.complaint }

    /// Changes nothing here, so that what it says may be read from here only when it is needed.
    func require(_ holds: Bool, _ otherwise: @autoclosure () -> String) {
        if !holds, verdict.complaint == nil { verdict.complaint = otherwise() }
    }

    // MARK: What happens

    mutating func act() {
        switch Int.random(in: 0..<16, using: &random) {
        case 0..<4 where !isDown: submit()
        case 4 where traits.cancels: cancel()
        case 5 where isDown: start()
        // Seldom, or no worker would live to see much.
        case 5 where traits.crashes && Int.random(in: 0..<4, using: &random) == 0: crash()
        case 6..<10 where !isDown: stepWorker()
        case 10..<13 where !isDown: deliverToNode()
        default: if isDown { expire() } else { turn() }
        }
        now += .milliseconds(Int.random(in: 0...3, using: &random))
        checkLoad()
    }

    /// What the loop does between two waits.
    mutating func turn() {
        expire()
        let before = running.count
        scheduler.admit()
        hear()
        checkAdmission(of: running.count - before)
        worker.inbox += scheduler.takeCommands()
        guard isQuiet else { return }
        // Both have heard all: the worker has what runs, and nothing else.
        let live = worker.live.map { GenerationID(number: $0.id) }
        require(live.sorted() == running, "the worker has \(live), and \(running) run")
    }

    private mutating func expire() {
        scheduler.expire(now: now)
        hear()
        for id in alive {
            require((clients[id]?.deadline).map { $0 > now } ?? true, "\(id) outlives its deadline")
        }
    }

    /// Lets everything come to its end, or unloads the model.
    mutating func settle() {
        if isDown { start() }
        if Int.random(in: 0..<4, using: &random) == 0 {
            excuse = .unload
            scheduler.cancelAll(now: now)
            hear()
            require(alive.isEmpty, "\(alive.count) outlive their model")
        }
        turn()
        for _ in 0..<5000 where complaint == nil && !(alive.isEmpty && isQuiet) {
            stepWorker(hearsAll: true)
            while !worker.outbox.isEmpty { deliverToNode() }
            now += .milliseconds(1)
            checkLoad()
            turn()
        }
        require(alive.isEmpty, "\(alive.count) requests do not end")
        require(worker.live.isEmpty, "the worker has \(worker.live.count) for nobody")
        require(!scheduler.isRunning && scheduler.nextDeadline == nil, "something is left")
        checkLoad()
        checkCounters()
    }

    /// Whether nothing is under way between node and worker.
    var isQuiet: Bool { worker.inbox.isEmpty && worker.outbox.isEmpty }

    // MARK: Clients

    mutating func submit() {
        let request = randomRequest()
        let deadline: Duration? =
            traits.deadlines && Int.random(in: 0..<3, using: &random) == 0
            ? now + .milliseconds(Int.random(in: 0...80, using: &random)) : nil
        let count = waiting.count
        do {
            let id = try scheduler.submit(request, deadline: deadline, now: now)
            require(clients[id] == nil, "the name \(id) is given twice")
            require(count < settings.waitingMax, "\(count) wait, and one more is taken")
            require(deadline.map { $0 > now } ?? true, "a dead request is taken")
            let room = settings.contextTokensMax - request.prompt.count + 1
            clients[id] = Client(
                request: request, deadline: deadline,
                newTokensMax: min(request.newTokensMax ?? room, room))
            alive.append(id)
        } catch {
            let wrong = settings.complaint(
                of: error, of: request, deadline: deadline, now: now, waiting: count)
            require(wrong == nil, wrong ?? "")
        }
    }

    mutating func cancel() {
        guard let id = alive.randomElement(using: &random) else { return }
        let reason: FinishReason = Bool.random(using: &random) ? .cancelled : .stop
        clients[id]?.cancelReason = reason
        scheduler.cancel(id, reason: reason, now: now)
        // Once is enough.
        scheduler.cancel(id, reason: .cancelled, now: now)
        hear()
        require(clients[id]?.hasEnded == true, "\(id) is cancelled, and goes on")
    }

    private mutating func randomRequest() -> GenerationRequest {
        // Few beginnings, so that prompts have whole blocks in common.
        let family = Int.random(in: 0..<3, using: &random)
        let common = Int.random(in: 0...100, using: &random)
        var prompt = (0..<common).map { TokenID(($0 * (family + 1)) % 9 + 1) }
        for _ in 0..<Int.random(in: 0...10, using: &random) {
            prompt.append(TokenID.random(in: 0..<Self.vocabulary, using: &random))
        }
        var request = GenerationRequest(prompt: prompt)
        request.newTokensMax =
            Int.random(in: 0..<5, using: &random) == 0
            ? nil : Int.random(in: 1...25, using: &random)
        request.tenant = "t\(Int.random(in: 0..<traits.tenants, using: &random))"
        request.ignoresEndTokens = Int.random(in: 0..<4, using: &random) == 0
        if Int.random(in: 0..<4, using: &random) == 0 { request.stopTokens = [Self.stopToken] }
        if traits.priorities > 0, Int.random(in: 0..<traits.priorities, using: &random) == 0 {
            request.priority = Bool.random(using: &random) ? .high : .low
        }
        if traits.crashes { request.hasOtherEngine = Int.random(in: 0..<4, using: &random) == 0 }
        return request
    }
}
