import MartletTransport
import Testing

@testable import MartletGateway

/// A gateway without `access` passes credentials on, and nodes may ask for them themselves.
@Suite("Cached answers where nodes ask for credentials")
struct CachedCredentialsTests {
    private static let text = """
        endpoints: [a:1]
        routes: [{name: r, cache: true}]
        cache: {ttl_seconds_min: 60, ttl_seconds_max: 60}
        """
    private static let good = [("authorization", "Bearer one")]
    private static let others: [[(String, String)]] = [
        [], [("authorization", "Bearer two")], [("x-api-key", "Bearer one")],
        [("Authorization", "Bearer one"), ("x-api-key", "two")],
        [("authorization", "Bearer one"), ("authorization", "Bearer two")],
    ]

    @Test(arguments: others)
    func answer_isOnlyForWhoShowsTheSame(other: [(String, String)]) throws {
        let gateway = try CachedGateway(Self.text)
        try gateway.answer(gateway.ask(Self.good), "first")
        #expect(gateway.ask(Self.good).text == "first")
        #expect(gateway.ask(other).plan != nil)
    }

    /// Else who shows nothing would get the answer that is under way for who shows a key, and the
    /// other way round a refusal.
    @Test(arguments: others)
    func whoShowsSomethingElse_doesNotWaitForTheAnswer(other: [(String, String)]) throws {
        let gateway = try CachedGateway(Self.text)
        #expect(gateway.ask(Self.good).plan != nil)
        #expect(gateway.ask(other).plan != nil)
    }

    @Test func whatNodesDoNotGet_doesNotMatter() throws {
        let text = Self.text.replacing(
            "cache: true", with: "cache: true, headers: {request: {remove: [Authorization]}}")
        let gateway = try CachedGateway(text)
        try gateway.answer(gateway.ask(Self.good), "first")
        #expect(gateway.ask().text == "first")
    }
}
