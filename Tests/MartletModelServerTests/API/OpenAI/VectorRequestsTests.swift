import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletTelemetry
import MartletTensors
import MartletTransport
import Synchronization
import Testing

@testable import MartletModelServer

/// Retires a version while it is used, and notes whether it is used when nobody holds it any more.
private final class Retirement: Sendable {
    private struct State {
        var loaded: LoadedServable?
        var isIdle = false
        var uses = 0
        var usesAfter = 0
    }

    private let state = Mutex(State())

    var isIdle: Bool { state.withLock { $0.isIdle } }
    var uses: Int { state.withLock { $0.uses } }
    var usesAfter: Int { state.withLock { $0.usesAfter } }

    func watch(_ loaded: LoadedServable) { state.withLock { $0.loaded = loaded } }

    /// The model is used.
    func note() {
        guard let loaded = state.withLock({ $0.loaded }) else { return }
        loaded.retire { self.state.withLock { $0.isIdle = true } }
        state.withLock { state in
            state.uses += 1
            if state.isIdle { state.usesAfter += 1 }
        }
    }
}

/// Answers that a test gives when it likes.
private final class HeldAnswers: Sendable {
    private let answers = Mutex<[@Sendable () -> Void]>([])

    var count: Int { answers.withLock { $0.count } }

    func hold(_ answer: @escaping @Sendable () -> Void) { answers.withLock { $0.append(answer) } }

    func give() {
        for answer in answers.withLock({ $0 }) { answer() }
    }
}

/// Makes the same vector of each text.
private final class VectorModel: GenerativeModel, Servable {
    let id: ServableID
    let description: GenerativeModelDescription
    let memoryBytes = 1
    let load = GenerationLoad()
    let signatures: [String: Signature] = [:]
    private let retirement: Retirement
    private let held: HeldAnswers?

    init(id: ServableID, ranks: Bool, _ retirement: Retirement, _ held: HeldAnswers?) {
        self.id = id
        self.retirement = retirement
        self.held = held
        description = GenerativeModelDescription(
            contextTokensMax: 10, vocabularySize: 1000, embeddingSize: 2, generates: false,
            embeds: !ranks, ranks: ranks)
    }

    func tokenize(_ text: String, addsBeginning: Bool, parsesSpecial: Bool) -> [TokenID] {
        retirement.note()
        return [1]
    }

    func detokenize(_ tokens: [TokenID], showsSpecial: Bool) -> [UInt8] {
        retirement.note()
        return [97]
    }

    func rankingPrompt(query: String, document: String) -> [TokenID] {
        retirement.note()
        return [1]
    }

    func embed(
        _ prompts: [[TokenID]], checking check: @escaping @Sendable () throws -> Void,
        completion: @escaping @Sendable (Result<[[Float]], any Error>) -> Void
    ) {
        retirement.note()
        let answer: @Sendable () -> Void = { completion(.success(prompts.map { _ in [1, 0] })) }
        if let held { held.hold(answer) } else { answer() }
    }

    func render(_ chat: ChatPrompt) throws -> any RenderedChat {
        throw ServingError(.unimplemented, "no chats")
    }

    func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        throw GenerationRefusal(ServingError(.unimplemented, "no text"))
    }

    func cancel(_ id: GenerationID, reason: FinishReason) {}

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] { [] }

    func unload() {}
}

@Suite("What requests for vectors and tokens hold")
struct VectorRequestsTests {
    private struct VectorEngine: Engine {
        let name = "vectors"
        let ranks: Bool
        let retirement: Retirement
        let held: HeldAnswers?

        func load(_ artifact: ModelArtifact) throws -> any Servable {
            VectorModel(id: artifact.id, ranks: ranks, retirement, held)
        }
    }

    private let storage: ModelStorage
    private let retirement = Retirement()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        storage = try ModelStorage()
        try storage.write("m", 1)
    }

    private func manager(ranks: Bool = false, held: HeldAnswers? = nil) async -> ModelManager {
        let engine = VectorEngine(ranks: ranks, retirement: retirement, held: held)
        let manager = ModelManager(
            loader: VersionLoader(engines: EngineRegistry([.savedModel: { engine }])),
            logger: logger)
        manager.configure([storage.configuration("m")])
        manager.update([storage.directory("m")])
        await manager.settle()
        return manager
    }

    private func server(_ manager: ModelManager) -> ModelServer {
        ModelServer(
            manager: manager, engineThreads: EngineThreads(count: 1, capacity: 8, name: "test"),
            limits: Limits(), processors: 1, metrics: MetricsRegistry(), accessLog: .disabled,
            logger: logger)
    }

    private func ask(
        _ manager: ModelManager, _ path: String, _ body: String
    ) async -> HTTPResponse {
        await Self.ask(server(manager), path, body)
    }

    private static func ask(
        _ server: ModelServer, _ path: String, _ body: String
    ) async -> HTTPResponse {
        let request = HTTPRequest(
            method: "POST", path: path, headers: [:], body: Array(body.utf8),
            context: RequestContext(remoteAddress: "127.0.0.1:1"))
        return await withCheckedContinuation { continuation in
            server.respond(
                to: request,
                reply: Reply(fallback: HTTPResponse(status: 599)) {
                    continuation.resume(returning: $0)
                })
        }
    }

    @Test(arguments: [
        ("/v1/embeddings", #"{"model":"m","input":["a","b"]}"#, 3),
        ("/v1/rerank", #"{"model":"m","query":"a","documents":["b","c"]}"#, 3),
        ("/tokenize", #"{"model":"m","content":"a"}"#, 1),
        ("/detokenize", #"{"model":"m","tokens":[1]}"#, 1),
    ])
    func version_isHeldAsLongAsItIsUsed(path: String, body: String, uses: Int) async throws {
        let manager = await manager(ranks: path == "/v1/rerank")
        let loaded = manager.models.withLock { $0["m"]?.servables[1] }
        retirement.watch(try #require(loaded))
        let answer = await ask(manager, path, body)
        #expect(answer.status == 200)
        #expect(retirement.uses == uses)
        #expect(retirement.usesAfter == 0)
        // What has answered may hold it for a moment more.
        for _ in 0..<60_000 where !retirement.isIdle { try await Task.sleep(for: .milliseconds(1)) }
        #expect(retirement.isIdle)
    }

    /// The server has one thread for all of them.
    @Test func requestsThatWaitForTheirVectors_holdNoThread() async throws {
        let held = HeldAnswers()
        let server = server(await manager(held: held))
        let request = #"{"model":"m","input":"a"}"#
        async let first = Self.ask(server, "/v1/embeddings", request)
        async let second = Self.ask(server, "/v1/embeddings", request)
        let tokens = await Self.ask(server, "/tokenize", #"{"model":"m","content":"a"}"#)
        #expect(tokens.status == 200)
        for _ in 0..<60_000 where held.count < 2 { try await Task.sleep(for: .milliseconds(1)) }
        held.give()
        #expect(await first.status == 200)
        #expect(await second.status == 200)
    }

    @Test func tokensThatTheModelHasNot_areNamed() async {
        let answer = await ask(
            await manager(), "/v1/embeddings", #"{"model":"m","input":["a",[1,1000]]}"#)
        #expect(answer.status == 400)
        let told = String(decoding: answer.body, as: UTF8.self)
        #expect(told.contains("'input[1]' has token 1000; the model's tokens are 0 to 999"))
    }

    /// Event loops read small requests where models batch; these may take any time.
    @Test(arguments: OpenAIRoute.allCases)
    func requests_areNeverAnsweredByAnEventLoop(route: OpenAIRoute) async throws {
        let manager = await manager()
        let service = OpenAIRESTService(
            manager: manager,
            metrics: GenerationMetrics(metrics: MetricsRegistry(), manager: manager),
            limits: Limits(), bounds: OpenAILimits(), admission: RequestAdmission(keys: nil))
        let paths: [OpenAIRoute: String] = [
            .chatCompletions: "/v1/chat/completions", .completions: "/v1/completions",
            .embeddings: "/v1/embeddings", .rerank: "/v1/rerank", .tokenize: "/tokenize",
            .detokenize: "/detokenize",
        ]
        let path = try #require(paths[route])
        let operation = try service.operation(method: "POST", path: path)
        #expect(operation?.mayTakeLong == true)
    }
}
