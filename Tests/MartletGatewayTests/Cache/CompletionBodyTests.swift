import Logging
import MartletCore
import MartletTelemetry
import Synchronization
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Chats that the gateway answers again")
struct CompletionBodyTests {
    private static let chat = "/v1/chat/completions"

    /// A chat with these members besides its model and its messages.
    private static func body(_ members: String, model: String = "m") -> String {
        #"{"model":"\#(model)","messages":[{"role":"user","content":"hi"}]\#(members)}"#
    }

    @Test(arguments: [
        #","temperature":0"#, #","temperature":0.0,"stream":false"#,
        #","temperature":-0e3,"stream":null,"n":1,"best_of":1.0"#,
        #","n":null,"temperature":0,"seed":7,"logit_bias":{"1":2}"#,
    ])
    func requestsForOneWholeAnswerByTheLikeliestTokens_areDeterministic(members: String) throws {
        let read = try #require(CompletionBody(Array(Self.body(members).utf8)))
        #expect(read.isDeterministic && read.model == "m")
    }

    @Test(arguments: [
        "", #","temperature":0.1"#, #","temperature":"0""#, #","temperature":null"#,
        #","temperature":[0]"#, #","temperature":0,"stream":true"#,
        #","temperature":0,"stream":"false""#, #","temperature":0,"stream":{}"#,
        #","temperature":0,"n":2"#, #","temperature":0,"n":"1""#, #","temperature":0,"best_of":3"#,
        #","options":{"temperature":0}"#,
    ])
    func otherRequests_areNot(members: String) throws {
        let read = try #require(CompletionBody(Array(Self.body(members).utf8)))
        #expect(!read.isDeterministic)
    }

    @Test(arguments: [
        "", "[]", "null", #"{"temperature":0}"#, #"{"model":7,"temperature":0}"#,
        #"{"model":"","temperature":0}"#, #"{"model":"a\u0062","temperature":0}"#,
        #"{"model":"m","temperature":0"#, #"{"model":"m","temperature":0}}"#,
        // A reader of JSON would take this for a stream.
        #"{"model":"m","temperature":0,"strea\u006d":true}"#,
        String(repeating: "[", count: 100),
    ])
    func whatCannotBeReadForSure_isNone(text: String) {
        #expect(CompletionBody(Array(text.utf8)) == nil)
    }

    // MARK: Models

    @Test func models_areThoseThatEndpointsReport() {
        var ledger = ModelVersionLedger()
        func model(_ name: String) -> String? { ledger.model(named: name, in: "p") }
        #expect(model("any") == "any" && model("any:1") == "any:1")
        let serving = ModelVersionLedger.Serving(versions: [1], labels: ["stable": 1])
        _ = ledger.report(
            ["m": serving, "a:b": serving], by: .init(pool: "p", endpoint: EndpointID("x:1")))
        #expect(model("m") == "m" && model("m:1") == "m")
        #expect(model("a:b") == "a:b" && model("a:b:stable") == "a:b")
        // An adapter changes without a word.
        #expect(model("adapter") == nil && model("a") == nil)
        // What another pool serves tells nothing of this one.
        #expect(ledger.model(named: "adapter", in: "q") == "adapter")
    }

    @Test func labels_countOnlyWhereEveryEndpointTellsOfThem() {
        var ledger = ModelVersionLedger()
        func model(_ name: String) -> String? { ledger.model(named: name, in: "p") }
        func report(_ endpoint: String, _ labels: [String: Int64]?) {
            _ = ledger.report(
                ["m": .init(versions: [1], labels: labels)],
                by: .init(pool: "p", endpoint: EndpointID(endpoint)))
        }
        // Nobody tells of anything: it may be a label.
        #expect(model("m:stable") == nil && model("m:1") == "m:1")
        report("x:1", [:])
        #expect(model("m:stable") == "m")
        report("y:1", nil)
        #expect(model("m:stable") == nil && model("m:1") == "m" && model("m") == "m")
    }

    // MARK: Requests

    private func policy() throws -> GatewayPolicy {
        let text = "endpoints: [a:1]\nroutes: [{name: r, cache: true}]\n"
        return GatewayPolicy(
            rules: GatewayRules(try readPolicy(text).policy, now: .zero),
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// What becomes of a chat.
    private func ask(
        _ policy: GatewayPolicy, _ body: String, path: String = CompletionBodyTests.chat
    ) -> ForwardingDecision? {
        let plan = policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: path, authority: "g",
                fields: ["content-length": "\(body.utf8.count)"],
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
        let decision = Mutex<ForwardingDecision?>(nil)
        policy.decide(plan, body: Array(body.utf8)) { new in decision.withLock { $0 = new } }
        return decision.withLock { $0 }
    }

    /// The plan of a chat that a node is asked.
    private func forwarded(
        _ policy: GatewayPolicy, _ body: String, path: String = CompletionBodyTests.chat
    ) throws -> ForwardingPlan {
        guard case .forward(let plan)? = ask(policy, body, path: path) else {
            throw ServingError(.internal, "not forwarded")
        }
        return plan
    }

    private func finish(
        _ policy: GatewayPolicy, _ plan: ForwardingPlan, type: String = "application/json"
    ) {
        policy.didFinish(
            ForwardedOutcome(
                api: .rest, method: "POST", path: Self.chat, httpStatus: 200, grpcStatus: nil,
                tried: [], requestBytes: 1, responseBytes: 1,
                context: RequestContext(remoteAddress: "1.2.3.4:5"),
                answer: HTTPResponse(status: 200, contentType: type, body: [7])), plan)
    }

    private func isHit(_ decision: ForwardingDecision?) -> Bool {
        guard case .answer(let answer)? = decision else { return false }
        return answer.headers.first("x-martlet-cache") == "hit" && answer.body == [7]
    }

    @Test func secondDeterministicChat_isAnsweredWithoutANode() throws {
        let policy = try policy()
        let body = Self.body(#","temperature":0,"seed":1"#)
        finish(policy, try forwarded(policy, body))
        #expect(isHit(ask(policy, body)))
        #expect(isHit(ask(policy, Self.body(#", "seed" : 1, "temperature": 0"#))))
        for other in [
            Self.body(#","temperature":0"#), Self.body(#","temperature":0,"seed":1"#, model: "n"),
        ] {
            #expect(!isHit(ask(policy, other)))
        }
        #expect(!isHit(ask(policy, body, path: "/v1/completions")))
    }

    @Test func otherChats_goToANodeAndAreNotKept() throws {
        let policy = try policy()
        for members in ["", #","temperature":0,"stream":true"#, #","temperature":0,"n":2"#] {
            for _ in 0..<2 {
                let plan = try forwarded(policy, Self.body(members))
                #expect(plan.keptAnswerBytes == nil)
                finish(policy, plan)
            }
        }
    }

    @Test func streamThatNobodyAskedFor_isNotKept() throws {
        let policy = try policy()
        let body = Self.body(#","temperature":0"#)
        finish(policy, try forwarded(policy, body), type: "text/event-stream; charset=utf-8")
        finish(policy, try forwarded(policy, body))
        #expect(isHit(ask(policy, body)))
    }

    @Test func embeddingsAndOtherPaths_areNotCompletions() {
        #expect(PredictionCall(restMethod: "POST", path: Self.chat)?.isGRPC == false)
        #expect(PredictionCall(restMethod: "POST", path: "/v1/completions") != nil)
        for path in ["/v1/embeddings", "/v1/chat/completions/", "/V1/completions", "/v1/rerank"] {
            #expect(PredictionCall(restMethod: "POST", path: path) == nil, "\(path)")
        }
        #expect(PredictionCall(restMethod: "GET", path: Self.chat) == nil)
    }
}
