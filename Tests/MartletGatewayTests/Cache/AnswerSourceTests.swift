import Testing

@testable import MartletGateway

@Suite("Answers by who gives them")
struct AnswerSourceTests {
    private static let pools =
        "pools: [{name: main, endpoints: [a:1]}, {name: next, endpoints: [b:1]}]\n"

    @Test func routesToTwoPools_shareNoAnswer() throws {
        let gateway = try CachedGateway(
            Self.pools + """
                routes:
                  - name: beta
                    cache: true
                    pool: next
                    match: {headers: [{name: x-beta, exact: "1"}]}
                  - {name: rest, cache: true, pool: main}
                """)
        let first = gateway.ask()
        #expect(first.pool == "main")
        try gateway.answer(first, "main's")
        let beta = gateway.ask([("x-beta", "1")])
        #expect(beta.pool == "next")
        try gateway.answer(beta, "next's")
        #expect(gateway.ask().text == "main's")
        #expect(gateway.ask([("x-beta", "1")]).text == "next's")
    }

    @Test func partsOfASplit_shareNoAnswer() throws {
        let gateway = try CachedGateway(
            Self.pools + "routes: [{name: r, cache: true, split: [{pool: main}, {pool: next}]}]")
        var asked: Set<String> = []
        // All by chance at one pool: once in 2^99.
        for _ in 0..<100 {
            let decision = gateway.ask()
            if let pool = decision.pool {
                #expect(asked.insert(pool).inserted)
                try gateway.answer(decision, pool)
            }
        }
        #expect(asked == ["main", "next"])
    }

    @Test func routesThatChangeOtherFields_shareNoAnswer() throws {
        let gateway = try CachedGateway(
            """
            endpoints: [a:1]
            routes:
              - name: one
                cache: true
                match: {headers: [{name: x-kind, exact: one}]}
                headers: {request: {set: {x-mode: fast}}}
              - name: same
                cache: true
                match: {headers: [{name: x-kind, exact: same}]}
                headers: {request: {set: {x-mode: fast}}}
              - {name: rest, cache: true}
            """)
        try gateway.answer(gateway.ask([("x-kind", "one")]), "fast")
        #expect(gateway.ask().plan != nil)
        // The node is asked the same.
        #expect(gateway.ask([("x-kind", "same")]).text == "fast")
    }

    @Test func routesThatAskOtherVersions_shareNoAnswer() throws {
        let gateway = try CachedGateway(
            """
            endpoints: [a:1]
            routes:
              - name: one
                cache: true
                match: {headers: [{name: x-kind, exact: one}]}
                rewrite: {version: 1}
              - name: two
                cache: true
                match: {headers: [{name: x-kind, exact: two}]}
                rewrite: {model: n}
              - {name: rest, cache: true}
            """)
        try gateway.answer(gateway.ask(), "latest")
        try gateway.answer(gateway.ask([("x-kind", "one")]), "first")
        try gateway.answer(gateway.ask([("x-kind", "two")]), "other")
        #expect(gateway.ask().text == "latest")
        #expect(gateway.ask([("x-kind", "one")]).text == "first")
        #expect(gateway.ask([("x-kind", "two")]).text == "other")
    }
}
