import Testing

@testable import MartletGateway

@Suite("Comparison of shadow answers")
struct ShadowComparisonTests {
    private func compare(
        _ primary: String, _ shadow: String, status: Int = 200,
        absolute: Double = 1e-6, relative: Double = 1e-4, ignore: [String] = ["id"]
    ) -> ShadowVerdict {
        let comparison = ShadowComparison(
            tolerance: TrafficPolicy.Comparison(
                absolute: absolute, relative: relative, ignoredKeys: ignore))
        return comparison.compare(
            ShadowAnswer(status: 200, body: Array(primary.utf8)),
            ShadowAnswer(status: status, body: Array(shadow.utf8)))
    }

    @Test(arguments: [
        (#"{"predictions": [1.0, 2]}"#, #"{ "predictions":[1,2.0] }"#),
        (#"{"a": 1, "b": 2}"#, #"{"b": 2, "a": 1}"#), ("[0.30001]", "[0.30002]"),
        ("[1e-9]", "[-1e-9]"), ("[NaN, Infinity]", "[NaN,Infinity]"),
        (#"{"id": "x", "a": {"id": 1}}"#, #"{"id": "y", "a": {}}"#), (#"["\u0041"]"#, #"["A"]"#),
        ("not json", "not json"), ("", ""), (#"{"a": 1, "a": 2}"#, #"{"a": 2}"#),
    ])
    func answersThatMeanTheSame_areEqual(primary: String, shadow: String) {
        let verdict = compare(primary, shadow)
        #expect(verdict.isEqual, "\(verdict)")
    }

    @Test(arguments: [
        ("[1.0]", "[1.001]", ShadowDifference.Kind.number, "$[0]"),
        ("[0]", "[0.00001]", .number, "$[0]"), ("[NaN]", "[1]", .number, "$[0]"),
        ("[Infinity]", "[-Infinity]", .number, "$[0]"), ("[1]", "[\"1\"]", .type, "$[0]"),
        ("[[1]]", "[{}]", .type, "$[0]"), ("[null]", "[0]", .type, "$[0]"),
        ("{\"a\": 1}", "{}", .missingKey, "$.a"), ("{}", "{\"a\": 1}", .extraKey, "$.a"),
        ("[1, 2]", "[1]", .length, "$"), ("[\"a\"]", "[\"b\"]", .text, "$[0]"),
        ("{\"a\": [true]}", "{\"a\": [false]}", .boolean, "$.a[0]"),
        ("[1]", "oops", .notJSON, "$"), ("oops", "[1]", .notJSON, "$"), ("a", "b", .bytes, "$"),
    ])
    func answersThatDiffer_areToldApartByKindAndPlace(
        primary: String, shadow: String, kind: ShadowDifference.Kind, path: String
    ) {
        let verdict = compare(primary, shadow)
        #expect(verdict.counts == [kind: 1])
        #expect(verdict.differences.map(\.kind) == [kind])
        #expect(verdict.differences.map(\.path) == [path])
    }

    @Test func statuses_areComparedFirst() {
        let verdict = compare("[1]", "[2]", status: 500)
        #expect(verdict.counts == [.status: 1])
        #expect(verdict.differences.first?.shadow == "500")
    }

    @Test func largestDifferences_areKeptThoughTolerated() {
        let verdict = compare("[100, 1]", "[101, 1.05]", absolute: 0, relative: 0.1)
        #expect(verdict.isEqual)
        #expect(verdict.largestAbsolute == 1)
        #expect(abs(verdict.largestRelative - 0.05 / 1.05) < 1e-12)
    }

    @Test func differences_areAllCountedAndFewShown() {
        let many = (0..<1000).map { "\($0)" }.joined(separator: ",")
        let others = (0..<1000).map { "\($0 + 1)" }.joined(separator: ",")
        let verdict = compare("[\(many)]", "[\(others)]", relative: 0)
        #expect(verdict.counts == [.number: 1000])
        #expect(verdict.differences.count == 20)
        let long = String(repeating: "x", count: 5000)
        let text = compare("[\"\(long)\"]", "[\"\"]")
        #expect((text.differences.first?.primary.count ?? 0) <= 80)
    }

    @Test func bodiesBeyondTheBounds_areComparedAsBytes() {
        var comparison = ShadowComparison(tolerance: TrafficPolicy.Comparison())
        comparison.limits.depth = 2
        let verdict = comparison.compare(
            ShadowAnswer(status: 200, body: Array("[[[1]]]".utf8)),
            ShadowAnswer(status: 200, body: Array("[[[2]]]".utf8)))
        #expect(verdict.counts == [.bytes: 1])
    }
}

@Suite("Report on shadow answers")
struct ShadowReportTests {
    private func differing(_ kind: ShadowDifference.Kind) -> ShadowVerdict {
        ShadowVerdict(
            counts: [kind: 3],
            differences: [ShadowDifference(kind: kind, path: "$", primary: "a", shadow: "b")],
            largestAbsolute: 2, largestRelative: 0.5)
    }

    @Test func report_countsPairsByKind() {
        var report = ShadowReport()
        report.add(ShadowVerdict(), request: "1")
        report.add(differing(.number), request: "2")
        report.add(differing(.text), request: "3")
        report.addUnanswered()
        #expect(report.compared == 3 && report.equal == 1 && report.unanswered == 1)
        #expect(report.pairs == [.number: 1, .text: 1])
        #expect(report.largestAbsolute == 2 && report.largestRelative == 0.5)
        #expect(Set(report.examples.map(\.request)) == ["2", "3"])
    }

    @Test func examples_areAFairSampleInWhateverOrderTheyCame() {
        let requests = (0..<1000).map { "r\($0)" }
        var forward = ShadowReport(examplesMax: 10)
        var backward = ShadowReport(examplesMax: 10)
        for request in requests { forward.add(differing(.number), request: request) }
        for request in requests.reversed() { backward.add(differing(.number), request: request) }
        #expect(forward.examples.count == 10)
        #expect(forward.examples == backward.examples)
        // Late ones are among them as well as early ones.
        let late = forward.examples.filter { Int($0.request.dropFirst()) ?? 0 >= 500 }
        #expect((1...9).contains(late.count))
    }

    @Test func sampler_takesItsShareAndAlwaysTheSame() {
        let sampler = ShadowSampler(share: 0.1, seed: 7)
        let taken = (0..<20_000).filter { sampler.takes("request-\($0)") }
        #expect(abs(taken.count - 2000) < 430)
        #expect(taken == (0..<20_000).filter { sampler.takes("request-\($0)") })
        let numbers = (0..<20_000).filter { sampler.takes(UInt64($0)) }
        #expect(abs(numbers.count - 2000) < 430)
        #expect(!(0..<1000).contains { ShadowSampler(share: 0, seed: 7).takes("\($0)") })
        #expect((0..<1000).allSatisfy { ShadowSampler(share: 1, seed: 7).takes("\($0)") })
    }
}
