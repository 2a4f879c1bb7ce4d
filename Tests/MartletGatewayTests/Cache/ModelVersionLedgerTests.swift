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

    @Test func endpointThatLeaves_changesNothing() {
        expect(
            """
            a 1 -> changed
            b 1 -> same
            a forgotten
            a 1 -> same
            a forgotten
            a 3 -> changed
            """)
    }

    @Test func severalModels_areToldApart() {
        var ledger = ModelVersionLedger()
        let endpoint = EndpointID("a:1")
        #expect(ledger.report(["y": [1], "x": [1], "z": []], by: endpoint) == ["x", "y"])
        #expect(ledger.report(["y": [2], "x": [1]], by: endpoint) == ["y"])
        #expect(ledger.report(["x": [1]], by: endpoint) == ["y"])
    }

    /// Plays the reports of a transcript, and expects to write the same transcript.
    private func expect(
        _ transcript: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var ledger = ModelVersionLedger()
        let lines = transcript.split(separator: "\n").map { line -> String in
            let said = line.prefix { $0 != "-" }.split(separator: " ")
            let endpoint = EndpointID(said.first.map(String.init) ?? "")
            if said.last == "forgotten" {
                ledger.forget(endpoint)
                return String(line)
            }
            let versions = Set(said.dropFirst().compactMap { Int64($0) })
            let changed = ledger.report(["m": versions], by: endpoint)
            let words = said.joined(separator: " ")
            return "\(words) -> \(changed.isEmpty ? "same" : "changed")"
        }
        #expect(lines.joined(separator: "\n") == transcript, sourceLocation: sourceLocation)
    }
}
