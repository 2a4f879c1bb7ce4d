import Testing

@testable import MartletGateway

@Suite("Counts of fetches of keys")
struct KeyFetchesTests {
    @Test func age_isThatOfTheLastSuccess_andOfTheIssuerBefore() {
        var fetches = KeyFetches()
        fetches.keep(only: ["b", "a"], now: .seconds(10))
        fetches.didEnd("a", .failed, now: .seconds(20))
        #expect(fetches.reports(now: .seconds(30)).map(\.age) == [.seconds(20), .seconds(20)])
        fetches.didEnd("a", .success, now: .seconds(31))
        fetches.didEnd("a", .failed, now: .seconds(32))
        let reports = fetches.reports(now: .seconds(40))
        #expect(reports.map(\.issuer) == ["a", "b"])
        #expect(reports.map(\.age) == [.seconds(9), .seconds(30)])
        #expect(
            reports.map(\.counts) == [[.success: 1, .failed: 2], [.success: 0, .failed: 0]])
    }

    @Test func issuersThatAreNoMore_areForgotten_andOthersStayAsTheyWere() {
        var fetches = KeyFetches()
        fetches.keep(only: ["a", "b"], now: .zero)
        fetches.didEnd("a", .success, now: .seconds(1))
        fetches.didEnd("b", .success, now: .seconds(1))
        fetches.keep(only: ["a", "c"], now: .seconds(5))
        fetches.didEnd("b", .success, now: .seconds(6))
        let reports = fetches.reports(now: .seconds(7))
        #expect(reports.map(\.issuer) == ["a", "c"])
        #expect(reports.map(\.age) == [.seconds(6), .seconds(2)])
        #expect(reports.first?.counts[.success] == 1)
    }
}
