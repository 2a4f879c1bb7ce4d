import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Table of routes")
struct RouteTableTests {
    private func table(_ routes: String) throws -> RouteTable {
        RouteTable(try readPolicy("endpoints: [a:1]\nroutes:\n\(routes)").policy.routes)
    }

    private func query(
        _ path: String, _ method: String = "POST", host: String = "h"
    ) throws -> RouteQuery {
        RouteQuery(
            authority: host, method: method, path: try RequestPath(path),
            naming: ModelNaming(isGRPC: false, method: method, path: path))
    }

    @Test func firstRouteThatMatches_isTaken() throws {
        let table = try table(
            """
              - {name: host, match: {hosts: [A.example.com]}}
              - {name: below, match: {hosts: ["*.example.com"], methods: [GET]}}
              - {name: model, match: {models: [m]}}
              - {name: header, match: {headers: [{name: X-Beta, exact: "1"}]}}
              - {name: path, match: {path_prefix: /v1}}
            """)
        func name(_ query: RouteQuery, _ fields: [String: String] = [:]) -> String? {
            guard case .route(let index) = table.decide(query, fields: Fields(values: fields))
            else { return nil }
            return table.routes[index].name
        }
        #expect(name(try query("/x", host: "a.Example.com:8443")) == "host")
        #expect(name(try query("/x", "GET", host: "b.example.com")) == "below")
        #expect(name(try query("/v1/x", host: "b.example.com")) == "path")
        #expect(name(try query("/v1/models/m:predict")) == "model")
        #expect(name(try query("/V1/Models/%6D:Predict")) == "model")
        #expect(name(try query("/v2/models/m/infer")) == "model")
        #expect(name(try query("/v1/models/n:predict"), ["x-beta": "1"]) == "header")
        #expect(name(try query("/v1/models/n:predict"), ["x-beta": "2"]) == "path")
        #expect(name(try query("/x")) == nil)
    }

    @Test func modelInTheBody_isWaitedForOnlyWhereItMatters() throws {
        let table = try table(
            """
              - {name: first, match: {path_prefix: /v1/embeddings}}
              - {name: model, match: {models: [m], path_prefix: /v1}}
              - {name: rest}
            """)
        #expect(table.decide(try query("/v1/embeddings"), fields: Fields()) == .route(0))
        var chat = try query("/v1/chat/completions")
        #expect(table.decide(chat, fields: Fields()) == .needsModel)
        chat.model = .named("m")
        #expect(table.decide(chat, fields: Fields()) == .route(1))
        chat.model = .named("n")
        #expect(table.decide(chat, fields: Fields()) == .route(2))
        chat.model = .none
        #expect(table.decide(chat, fields: Fields()) == .route(2))
    }

    @Test func namesOfOpenAI_matchTheRuleOfTheirModel() throws {
        let table = try table(
            """
              - {name: own, match: {models: [poet]}}
              - {name: small, match: {models: [small]}}
              - {name: rest}
            """)
        func route(_ model: AskedModel) throws -> String? {
            var chat = try query("/v1/chat/completions")
            chat.model = .asked(model)
            guard case .route(let index) = table.decide(chat, fields: Fields()) else { return nil }
            return table.routes[index].name
        }
        for name in ["", ":1", ":01", ":stable", ":1:other", ":poet"].map({ "small\($0)" }) {
            #expect(try route(AskedModel(ofOpenAI: name)) == "small", "\(name)")
        }
        #expect(try route(AskedModel(ofOpenAI: "other", parents: ["small"])) == "small")
        #expect(try route(AskedModel(ofOpenAI: "poet", parents: ["small"])) == "own")
        for name in ["smaller", "smaller:1", "x:small", ":small", "other"] {
            #expect(try route(AskedModel(ofOpenAI: name)) == "rest", "\(name)")
        }
        // A model that is called so is no version of another.
        #expect(try route(AskedModel(ofOpenAI: "small:1", isModel: true)) == "rest")
        #expect(try route(AskedModel(ofOpenAI: "small:1:poet", isBaseModel: true)) == "rest")
        // As are names in paths and messages.
        #expect(try route(AskedModel("small:1")) == "rest")
    }

    @Test func headers_areExactPrefixedPresentOrAbsent() throws {
        let table = try table(
            """
              - {name: a, match: {headers: [{name: X-A}, {name: x-b, prefix: v1-}]}}
              - {name: b, match: {headers: [{name: x-a, present: false}]}}
            """)
        let query = try query("/")
        func decide(_ fields: [String: String]) -> RouteTable.Decision {
            table.decide(query, fields: Fields(values: fields))
        }
        #expect(decide(["x-a": "", "x-b": "v1-x"]) == .route(0))
        #expect(decide(["x-a": "", "x-b": "v2"]) == .none)
        #expect(decide(["x-b": "v1-x"]) == .route(1))
    }

    /// Random tables and requests: the table and its index against a plain search, and no route
    /// that is called unreachable is ever reached.
    @Test func randomTables_decideAsAPlainSearchDoes() throws {
        for seed in SimulationSeeds.first(400) {
            var world = RandomRoutes(seed: seed)
            let routes = world.routes()
            let table = RouteTable(routes)
            let rules = routes.map { RouteRules($0.match) }
            let unreachable = rules.indices.filter { index in
                rules[..<index].contains { $0.covers(rules[index]) }
            }
            for _ in 0..<40 {
                let query = try world.query()
                let fields = world.fields()
                let found = table.decide(query, fields: fields)
                #expect(
                    found == RandomRoutes.search(rules, query, fields),
                    "\(SimulationSeeds.replay(seed)): \(query)")
                if case .route(let index) = found {
                    #expect(!unreachable.contains(index), "\(SimulationSeeds.replay(seed))")
                }
            }
        }
    }
}

/// Routes and requests out of few parts, so that they meet.
private struct RandomRoutes {
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    private mutating func some<Element>(_ items: [Element]) -> Element {
        items[Int.random(in: 0..<items.count, using: &generator)]
    }

    private mutating func chance() -> Bool { Int.random(in: 0..<3, using: &generator) == 0 }

    mutating func routes() -> [TrafficPolicy.Route] {
        (0..<Int.random(in: 1...8, using: &generator)).map { number in
            var match = TrafficPolicy.Match()
            if chance() {
                match.hosts = (0...Int.random(in: 0...1, using: &generator)).map { _ in
                    some(["a.x", "b.x", "*.x", "*.a.x"])
                }
            }
            if chance() {
                match.path = some([
                    .exact("/v1/models/m:predict"), .prefix("/v1"), .prefix("/v1/models/m"),
                    .template("/v1/models/{m}:predict"), .prefix("/"), .exact("/"),
                ])
            }
            if chance() { match.methods = [some(["GET", "POST"])] }
            if chance() { match.models = [some(["m", "n"])] }
            if chance() {
                match.headers = [
                    TrafficPolicy.HeaderRule(
                        name: "h",
                        condition: some([
                            .present(true), .present(false), .exact("12"), .prefix("1"),
                        ]))
                ]
            }
            return TrafficPolicy.Route(name: "r\(number)", match: match)
        }
    }

    mutating func query() throws -> RouteQuery {
        let path = some([
            "/v1/models/m:predict", "/v1/models/n:predict", "/v1/models/m", "/", "/v1",
            "/v1/chat/completions", "/x",
        ])
        let method = some(["GET", "POST"])
        return RouteQuery(
            authority: some(["a.x", "b.x", "c.a.x", "d.x", "y", "A.x:80"]), method: method,
            path: try RequestPath(path),
            naming: ModelNaming(isGRPC: false, method: method, path: path))
    }

    mutating func fields() -> Fields {
        Fields(values: some([[:], ["h": "12"], ["h": "1"], ["h": "2"]]))
    }

    static func search(
        _ rules: [RouteRules], _ query: RouteQuery, _ fields: Fields
    ) -> RouteTable.Decision {
        for (index, rule) in rules.enumerated()
        where rule.matches(host: query.host) && rule.matchesHead(query, fields) {
            switch rule.matches(query.model) {
            case true?: return .route(index)
            case false?: continue
            case nil: return .needsModel
            }
        }
        return .none
    }
}
