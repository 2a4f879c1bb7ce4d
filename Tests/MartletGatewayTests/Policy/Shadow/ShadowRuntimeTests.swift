import MartletTransport
import Synchronization
import Testing

@testable import MartletGateway

@Suite("Answers to copies")
struct ShadowRuntimeTests {
    /// What is put off until somebody says so.
    private final class Later: Sendable {
        private let works = Mutex<[@Sendable () -> Void]>([])

        func put(_ work: @escaping @Sendable () -> Void) { works.withLock { $0.append(work) } }

        func doAll() {
            let works = works.withLock { works in
                defer { works = [] }
                return works
            }
            for work in works { work() }
        }
    }

    private let later = Later()
    private let runtime: ShadowRuntime

    init() throws {
        let text = """
            endpoints: [a:1]
            routes:
              - name: r
                shadow: {version: 2, concurrent_requests_max: 1, compare: {relative: 0.001}}

            """
        let later = later
        runtime = ShadowRuntime(
            try #require(try readPolicy(text).policy.routes.first?.shadow), pools: [:], seed: 1
        ) { later.put($0) }
    }

    private func answer(_ text: String, coding: String? = nil) -> HTTPResponse {
        var answer = HTTPResponse(
            status: 200, contentType: "application/json", body: Array(text.utf8))
        if let coding { answer.headers.add("content-encoding", coding) }
        return answer
    }

    private func end(_ primary: HTTPResponse?, _ copy: HTTPResponse?) {
        runtime.end(ShadowOriginal(runtime: runtime, name: "POST /", answer: primary), copy)
    }

    /// The event loop that has the answer goes on with its clients.
    @Test func answers_areComparedLater_andCountAsUnderWayUntilThen() {
        #expect(runtime.begin())
        end(answer("[1]"), answer("[2]"))
        #expect(runtime.soFar.report.compared == 0)
        #expect(!runtime.begin())
        later.doAll()
        #expect(runtime.soFar.report.compared == 1)
        #expect(runtime.soFar.report.equal == 0)
        #expect(runtime.begin())
    }

    @Test func whatCannotBeCompared_isUnanswered() {
        let good = answer("[1]")
        let pairs: [(HTTPResponse?, HTTPResponse?)] = [
            (nil, good), (good, nil), (good, answer("[1]", coding: "gzip")),
        ]
        for (count, pair) in pairs.enumerated() {
            #expect(runtime.begin())
            end(pair.0, pair.1)
            later.doAll()
            #expect(runtime.soFar.report.unanswered == count + 1)
        }
        #expect(runtime.begin())
    }
}
