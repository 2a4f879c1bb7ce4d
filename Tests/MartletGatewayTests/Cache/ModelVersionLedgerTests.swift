import Testing

@testable import MartletGateway

/// Each transcript is a cluster's life: what an endpoint says it serves of model `m`, and whether
/// that has changed the model.
@Suite("Changes of models, by what endpoints serve")
struct ModelVersionLedgerTests {
    @Test func rollingUpdate_isAChangeAtEachEndpoint() {
        expect(
            """
            a 1 -> changed
            b 1 -> same
            a 1 2 -> changed
            a 1 2 -> same
            b 1 2 -> changed
            a 2 -> changed
            b 2 -> changed
            """)
    }

    @Test func endpointThatRestartsBesideOthers_changesNothing() {
        expect(
            """
            a 1 -> changed
            b 1 -> same
            a -> same
            a 1 -> same
            """)
    }

    @Test func endpointThatComesBackWithAnotherVersion_isAChange() {
        expect(
            """
            a 1 -> changed
            b 1 -> same
            a -> same
            a 2 -> changed
            """)
    }

    @Test func modelThatNobodyServesAnyMore_hasChanged() {
        expect(
            """
            a 1 -> changed
            a -> changed
            a -> same
            a 1 -> changed
            """)
    }

    @Test func endpointThatLeaves_isAChangeIfNobodyElseServesTheSame() {
        expect(
            """
            a 1 -> changed
            b 1 -> same
            a forgotten -> same
            a forgotten -> same
            a 1 -> same
            a forgotten -> same
            a 3 -> changed
            a forgotten -> changed
            b forgotten -> changed
            b 1 -> changed
            """)
    }

    @Test func labelThatMoves_isAChange() {
        expect(
            """
            a 1 2 stable=1 -> changed
            b 1 2 stable=1 -> same
            a 1 2 stable=2 -> changed
            a 1 2 stable=2 -> same
            b 1 2 stable=2 -> changed
            a 1 2 stable=2 canary=2 -> changed
            a 1 2 -> changed
            """)
    }

    @Test func labelsOfAnEndpointThatTellsOfNoneYet_areAChange() {
        var ledger = ModelVersionLedger()
        let member = ModelVersionLedger.Member(pool: "p", endpoint: EndpointID("a:1"))
        #expect(ledger.report(["m": .init(versions: [1])], by: member) == ["m"])
        #expect(!ledger.tellsLabels(of: "m", in: "p"))
        #expect(ledger.report(["m": .init(versions: [1], labels: [:])], by: member) == ["m"])
        #expect(ledger.tellsLabels(of: "m", in: "p"))
        #expect(!ledger.tellsLabels(of: "m", in: "q") && !ledger.tellsLabels(of: "n", in: "p"))
    }

    @Test func severalModels_areToldApart() {
        var ledger = ModelVersionLedger()
        func report(_ models: [String: Set<Int64>]) -> [String] {
            ledger.report(
                models.mapValues { .init(versions: $0) },
                by: .init(pool: "p", endpoint: EndpointID("a:1")))
        }
        #expect(report(["y": [1], "x": [1], "z": []]) == ["x", "y"])
        #expect(report(["y": [2], "x": [1]]) == ["y"])
        #expect(report(["x": [1]]) == ["y"])
    }

    /// Else what the last endpoint of one pool answered before it was replaced would stay for what
    /// another pool serves.
    @Test func endpointsOfAnotherPool_countForNothing() {
        var ledger = ModelVersionLedger()
        let (one, other) = (member("one"), member("other"))
        #expect(ledger.report(["m": .init(versions: [1])], by: one) == ["m"])
        let before = ledger.fingerprint(of: "m", in: "one")
        #expect(ledger.report(["m": .init(versions: [1])], by: other) == ["m"])
        #expect(ledger.fingerprint(of: "m", in: "one") == before)
        #expect(ledger.forget(one) == ["m"])
        #expect(ledger.fingerprint(of: "m", in: "one").isEmpty)
    }

    @Test func fingerprint_changesWithVersionsLabelsAndEndpoints() {
        var ledger = ModelVersionLedger()
        var seen: Set<String> = [ledger.fingerprint(of: "m", in: "p")]
        let servings: [(endpoint: String, serving: ModelVersionLedger.Serving)] = [
            ("a", .init(versions: [1])), ("a", .init(versions: [1, 2])),
            ("a", .init(versions: [1, 2], labels: [:])),
            ("a", .init(versions: [1, 2], labels: ["stable": 1])),
            ("a", .init(versions: [1, 2], labels: ["stable": 2])),
            ("a", .init(versions: [1, 2], labels: ["stable": 2, "a": 1])),
            ("a", .init(versions: [1, 2], labels: ["a=1,6:stable": 2])),
            ("b", .init(versions: [1, 2], labels: ["stable": 1])),
        ]
        for (endpoint, serving) in servings {
            _ = ledger.report(["m": serving], by: member("p", endpoint))
            #expect(seen.insert(ledger.fingerprint(of: "m", in: "p")).inserted, "\(serving)")
        }
        _ = ledger.forget(member("p", "b"))
        #expect(!seen.insert(ledger.fingerprint(of: "m", in: "p")).inserted)
    }

    private func member(_ pool: String, _ endpoint: String = "a") -> ModelVersionLedger.Member {
        ModelVersionLedger.Member(pool: pool, endpoint: EndpointID("\(endpoint):1"))
    }

    /// Plays the reports of a transcript, and expects to write the same transcript.
    private func expect(
        _ transcript: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var ledger = ModelVersionLedger()
        let lines = transcript.split(separator: "\n").map { line -> String in
            let said = line.prefix { $0 != "-" }.split(separator: " ")
            let member = member("p", said.first.map(String.init) ?? "")
            var changed: [String] = []
            if said.last == "forgotten" {
                changed = ledger.forget(member)
            } else {
                let versions = Set(said.dropFirst().compactMap { Int64($0) })
                let labels = said.filter { $0.contains("=") }.map { $0.split(separator: "=") }
                let serving = ModelVersionLedger.Serving(
                    versions: versions,
                    labels: Dictionary(
                        labels.map { (String($0[0]), Int64($0[1]) ?? 0) }, uniquingKeysWith: max))
                changed = ledger.report(["m": serving], by: member)
            }
            return "\(said.joined(separator: " ")) -> \(changed.isEmpty ? "same" : "changed")"
        }
        #expect(lines.joined(separator: "\n") == transcript, sourceLocation: sourceLocation)
    }
}
