import MartletConfiguration
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Changes of requests")
struct RequestChangesTests {
    @Test func headers_areRemovedSetAndAdded() {
        let changes = TrafficPolicy.HeaderChanges(
            remove: ["X-Debug"], set: [.init("X-Tenant", "a")], add: [.init("Via", "martlet")])
        var fields: [(name: String, value: String)] = [
            ("x-debug", "1"), ("x-tenant", "b"), ("via", "other"), ("X-TENANT", "c"), ("k", "v"),
        ]
        changes.apply(to: &fields)
        #expect(
            fields.map { "\($0.name)=\($0.value)" } == [
                "via=other", "k=v", "X-Tenant=a", "Via=martlet",
            ])
    }

    private func rewritten(
        _ rewrite: TrafficPolicy.Rewrite, _ path: String, _ method: String = "POST",
        rule: TrafficPolicy.PathRule? = nil
    ) throws -> String {
        rewrite.path(
            of: try RequestPath(path), rule: rule,
            naming: ModelNaming(isGRPC: false, method: method, path: path))
    }

    @Test(arguments: [
        ("/old", "/new", "/old/x", "/new/x"), ("/old", "/new", "/old", "/new"),
        ("/old/", "/new", "/old/x", "/new/x"), ("/old", "/new/", "/old/x", "/new/x"),
        ("/old/m", "/v1/models/n", "/old/m:predict", "/v1/models/n:predict"),
        ("/old/m", "/new/", "/old/m:predict", "/new:predict"), ("/", "/new", "/x", "/new/x"),
        ("/old", "/", "/old/x", "/x"), ("/old", "/new", "/%6fld/x%21", "/new/x!"),
    ])
    func prefix_isReplaced(from: String, to: String, path: String, result: String) throws {
        let rewrite = TrafficPolicy.Rewrite(pathPrefix: to)
        #expect(try rewritten(rewrite, path, rule: .prefix(from)) == result)
    }

    @Test func modelAndVersion_areReplacedWhereThePathNamesThem() throws {
        let version = TrafficPolicy.Rewrite(version: .number(3))
        #expect(
            try rewritten(version, "/v1/models/m:predict") == "/v1/models/m/versions/3:predict")
        #expect(
            try rewritten(version, "/v1/models/m/labels/x:predict")
                == "/v1/models/m/versions/3:predict")
        #expect(try rewritten(version, "/v2/models/m/infer") == "/v2/models/m/versions/3/infer")
        let both = TrafficPolicy.Rewrite(model: "n", version: .label("st/a"))
        #expect(
            try rewritten(both, "/v1/models/m/metadata", "GET")
                == "/v1/models/n/labels/st%2Fa/metadata")
        let model = TrafficPolicy.Rewrite(model: "n")
        #expect(
            try rewritten(model, "/v1/models/m/versions/2:predict")
                == "/v1/models/n/versions/2:predict")
        #expect(try rewritten(model, "/v1/chat/completions") == "/v1/chat/completions")
    }

    @Test func weights_areKeptOverManyChoices() {
        let choice = WeightedChoice(weights: [90, 0, 10])
        var counts = [0, 0, 0]
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<100_000 {
            if let index = choice.index(of: generator.next()) { counts[index] += 1 }
        }
        #expect(counts[1] == 0)
        // Ten standard deviations.
        #expect(abs(counts[0] - 90_000) < 950)
        #expect(counts.reduce(0, +) == 100_000)
        #expect(choice.index(of: 0) == 0 && choice.index(of: .max) == 2)
        #expect(WeightedChoice(weights: []).index(of: 1) == nil)
        #expect(WeightedChoice(weights: [0, -1]).index(of: 1) == nil)
        #expect(WeightedChoice(weights: [.max, .max, .max]).index(of: .max) != nil)
    }

    @Test func keysThatDifferLittle_haveHashesThatDifferMuch() {
        let shares = (0..<20_000).map { StableHash.share(StableHash.hash("user-\($0)")) }
        for tenth in 0..<10 {
            let count = shares.filter { Int($0 * 10) == tenth }.count
            #expect(abs(count - 2000) < 430, "\(tenth)")
        }
        // Equal at every start and on every machine.
        #expect(StableHash.hash("a") == StableHash.hash(Array("a".utf8)))
        #expect(StableHash.hash("a", seed: 1) != StableHash.hash("a", seed: 2))
        #expect(StableHash.share(.max) < 1)
    }
}
