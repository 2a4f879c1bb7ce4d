import MartletCore
import MartletEngines
import MartletTelemetry
import MartletTensors
import Synchronization
import Testing

@testable import MartletModelServer
@testable import MartletTransport

/// A session and what came of it.
final class GenerationSessionRun: Sendable {
    let model: ScriptedModel
    let cancellation = Cancellation()
    private let outcomes = Mutex<[Result<HTTPResponse, any Error>]>([])

    /// Makes whoever takes the answer hang up at once.
    let hangsUp: Bool

    init(
        _ body: String, hangsUp: Bool = false, path: OpenAIRoute = .chatCompletions,
        hangsUpWhenAsked: Bool = false, sequencesMax: Int = .max,
        queuedTokensMax: Int = .max, streamBytesMax: Int = 1 << 16,
        chat: (any RenderedChat)? = nil,
        reader: AnswerReader = AnswerReader { _, reading in reading() },
        prepare: (ScriptedModel) -> Void = { _ in }
    ) throws {
        self.hangsUp = hangsUp
        model = ScriptedModel(sequencesMax: sequencesMax, queuedTokensMax: queuedTokensMax)
        prepare(model)
        let cancellation = self.cancellation
        if hangsUpWhenAsked { model.whenTaken { cancellation.cancel() } }
        let loaded = LoadedServable(
            servable: model, choice: EngineChoice(engine: "fake", reason: .only, detail: ""),
            signatureDefs: [:])
        let lease = try #require(ServableLease(loaded))
        let planner = GenerationPlanner(
            target: GenerationTarget(lease: lease, model: model, adapter: nil),
            context: RequestContext(remoteAddress: "a"), standing: GenerationStanding())
        var plan =
            path == .chatCompletions
            ? try planner.plan(ChatRequest(decoding: Array(body.utf8), limits: Limits()))
            : try planner.plan(CompletionRequest(decoding: Array(body.utf8), limits: Limits()))
        if let chat { plan.chat = chat }
        try plan.checkRoom()
        let metrics = MetricsRegistry()
        let observer = GenerationObserver(
            firstToken: metrics.histogramFamily("a", help: "a", labelNames: ["m"]).with("m"),
            interToken: metrics.histogramFamily("b", help: "b", labelNames: ["m"]).with("m"),
            queueTime: metrics.histogramFamily("c", help: "c", labelNames: ["m"]).with("m"))
        GenerationSession(
            plan, streamBytesMax: streamBytesMax, observer: observer, reader: { reader }
        ) { result in
            self.outcomes.withLock { $0.append(result) }
            if self.hangsUp { self.cancellation.cancel() }
        }.start(cancellation)
    }

    var outcome: Result<HTTPResponse, any Error>? {
        outcomes.withLock { outcomes in
            #expect(outcomes.count <= 1)
            return outcomes.first
        }
    }

    func json() throws -> JSONValue {
        let outcome = try #require(outcome)
        return try OpenAISupport.parse(outcome.get().body)
    }

    func error() -> ServingError? {
        guard case .failure(let error)? = outcome else { return nil }
        return error as? ServingError
    }

    /// What the stream has so far, and whether it is whole.
    func events() throws -> ([JSONValue], ContentStream.End?) {
        let response = try #require(outcome).get()
        let (pieces, end) = try #require(response.stream).take()
        return (try OpenAISupport.events(pieces.flatMap(\.self)), end)
    }
}
