import Foundation
import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Path of a request")
struct RequestPathTests {
    @Test(arguments: [
        ("/", "/"), ("/v1/models/m:predict", "/v1/models/m:predict"), ("/a/b/", "/a/b/"),
        ("*", "*"), ("/a%2Db%7E", "/a-b~"), ("/a%2db", "/a-b"), ("/%61", "/a"),
        // What means something else without its encoding keeps it.
        ("/a%3ab", "/a%3Ab"), ("/a%25b", "/a%25b"), ("/a%252Fb", "/a%252Fb"), ("/a%3Fb", "/a%3Fb"),
        // What may be written both ways is the same both ways.
        ("/a!b", "/a!b"), ("/a%21b", "/a!b"), ("/a{b}", "/a%7Bb%7D"), ("/a%7bb%7d", "/a%7Bb%7D"),
        ("/a%C3%A9", "/a%C3%A9"), ("/a%c3%a9", "/a%C3%A9"), ("/a\\b", "/a%5Cb"),
        ("/a.b", "/a.b"), ("/.well-known", "/.well-known"), ("/...", "/..."),
        // Nodes take these words in upper and lower case alike.
        ("/V1/Models/Bert:Predict", "/v1/models/Bert:predict"),
        ("/v1/models/BERT:predict", "/v1/models/BERT:predict"),
        ("/v1/models/BERT:PREDICT", "/v1/models/BERT:predict"),
        ("/v1/MODELS/B/Versions/1:Predict", "/v1/models/B/versions/1:predict"),
        ("/v1/models/B/LABELS/Stable", "/v1/models/B/labels/Stable"),
        ("/V2/Models/B", "/V2/Models/B"), ("/V1/Chat", "/V1/Chat"),
    ])
    func path_hasOneForm(raw: String, canonical: String) throws {
        let path = try RequestPath(raw)
        #expect(path.canonical == canonical)
        #expect(path.raw == raw)
        #expect(try RequestPath(canonical).canonical == canonical)
    }

    @Test(arguments: [
        "", "a", "/..", "/.", "/a/..", "/a/../b", "/a/./b", "/a/%2e%2E/b", "/a/%2e", "/a//b", "//a",
        "//", "/a%2Fb", "/a%2fb", "/a%00b", "/a%0d", "/a%1F", "/a%7f", "/%", "/%4", "/%zz",
        "/a\u{1}",
    ])
    func path_thatCouldBeUnderstoodOtherwise_isRefused(raw: String) {
        let error = #expect(throws: ServingError.self) { try RequestPath(raw) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func randomPaths_haveFormsThatStayAsTheyAreAndMeanTheSame() {
        let parts = [
            "/", "/", "a", "B", "v1", "models", ":", "%41", "%2e", "%2F", ".", "..", "%", "é",
            "%3A", "{", "!", "%21", "m:Predict", "%00", "\\", "Versions",
        ]
        for seed in SimulationSeeds.first(5000) {
            var generator = SeededGenerator(seed: seed)
            let raw =
                "/"
                + (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                    parts[Int.random(in: 0..<parts.count, using: &generator)]
                }.joined()
            guard let path = try? RequestPath(raw) else { continue }
            let again = try? RequestPath(path.canonical)
            #expect(again?.canonical == path.canonical, "\(SimulationSeeds.replay(seed))")
            let meant = raw.removingPercentEncoding?.lowercased()
            #expect(
                path.canonical.removingPercentEncoding?.lowercased() == meant,
                "\(SimulationSeeds.replay(seed)): \(raw)")
            #expect(!path.canonical.contains("/../") && !path.canonical.contains("//"))
        }
    }
}

@Suite("Patterns of paths")
struct PathPatternTests {
    private func pattern(_ rule: TrafficPolicy.PathRule) throws -> PathPattern {
        try #require(PathPattern(rule))
    }

    @Test(arguments: [
        ("/v1/models/a", "/v1/models/a", true), ("/v1/models/a", "/v1/models/a/versions/1", true),
        ("/v1/models/a", "/v1/models/a:predict", true), ("/v1/models/a", "/v1/models/ab", false),
        ("/v1/models/a", "/v1/models", false), ("/v1/", "/v1/x", true), ("/v1/", "/v1", false),
        ("/", "/anything", true), ("/v1", "/v1", true), ("/V1/Models", "/v1/models/x", true),
        ("/%61", "/a/b", true), ("/é", "/%C3%A9", true),
    ])
    func prefix_goesBySegments(prefix: String, path: String, isMatch: Bool) throws {
        #expect(try pattern(.prefix(prefix)).matches(path) == isMatch)
    }

    @Test(arguments: [
        ("/v1/models/{m}:predict", "/v1/models/a:predict", true),
        ("/v1/models/{m}:predict", "/v1/models/:predict", false),
        ("/v1/models/{m}:predict", "/v1/models/a:classify", false),
        ("/v1/models/{m}:predict", "/v1/models/a/versions/1:predict", false),
        ("/v1/models/{m}:predict", "/v1/models/a:b:predict", false),
        ("/v1/models/{m}/versions/{v}:predict", "/v1/models/a/versions/1:predict", true),
        ("/v1/models/{m}", "/v1/models/a:predict", false), ("/v1/models/{m}", "/v1/models/", false),
        ("/v1/models/{m}", "/v1/models/a/", false), ("/a/{x}/b", "/a/1/b", true),
        ("/a/{x}/b", "/a//b", false), ("/a/x{n}y", "/a/x1y", true), ("/a/x{n}y", "/a/xy", false),
        ("/a/x{n}x", "/a/x", false), ("/a", "/a", true), ("/a", "/a/b", false),
        ("/{x}", "/", false),
    ])
    func template_standsForOneSegmentEach(template: String, path: String, isMatch: Bool) throws {
        #expect(try pattern(.template(template)).matches(path) == isMatch)
    }

    @Test(arguments: [
        (TrafficPolicy.PathRule.prefix("/a"), TrafficPolicy.PathRule.exact("/a/b"), true),
        (.prefix("/a"), .prefix("/a/b"), true), (.prefix("/a/b"), .prefix("/a"), false),
        (.prefix("/a/"), .prefix("/a"), false), (.prefix("/"), .prefix("/a"), true),
        (.prefix("/a"), .template("/a/{x}"), true), (.prefix("/a"), .template("/a{x}"), false),
        (.prefix("/a"), .template("/{x}"), false), (.exact("/a"), .exact("/a"), true),
        (.exact("/a"), .prefix("/a"), false), (.template("/{x}"), .exact("/a"), true),
        (.template("/{x}"), .template("/{y}"), true), (.template("/{x}"), .prefix("/a"), false),
    ])
    func pattern_coversAnother(
        pattern: TrafficPolicy.PathRule, other: TrafficPolicy.PathRule, covers: Bool
    ) throws {
        #expect(try self.pattern(pattern).covers(self.pattern(other)) == covers)
    }

    @Test(arguments: ["/a/{}", "/a/{b", "/a/b}", "/a/{b}{c}", "/a/{b c}", "/a/}b{", "/a/%EE%80%80"])
    func template_thatIsNone_isRefused(text: String) {
        #expect(PathPattern.fault(of: text, allowsVariables: true) != nil)
        #expect(PathTemplate(text) == nil)
    }
}

@Suite("Hosts of routes")
struct HostNameTests {
    @Test(arguments: [
        ("example.com", "example.com"), ("Example.COM", "example.com"), ("a:8080", "a"),
        ("a.", "a"), ("A.:80", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("::1", "::1"),
        ("", ""),
    ])
    func host_isCanonical(authority: String, host: String) {
        #expect(HostName.canonical(authority) == host)
    }

    @Test func suffix_isForAllBelowAndNotForItself() {
        let pattern = HostPattern("*.Example.com")
        #expect(pattern.matches("a.example.com"))
        #expect(pattern.matches("a.b.example.com"))
        #expect(!pattern.matches("example.com"))
        #expect(!pattern.matches("badexample.com"))
        #expect(pattern.covers(HostPattern("*.a.example.com")))
        #expect(pattern.covers(pattern))
        #expect(!pattern.covers(HostPattern("*.com")))
        #expect(!HostPattern("a").covers(pattern))
    }
}
