import MartletTransport
import Testing

@testable import MartletGateway

@Suite("The policy that flags alone amount to")
struct FlagPolicyTests {
    private func pool(_ outliers: OutlierDetectionConfiguration?) throws -> TrafficPolicy.Pool {
        let place = UpstreamAddress(host: "a", port: 1)
        var configuration = Gateway.Configuration(endpoints: [place], listen: place, admin: place)
        configuration.outliers = outliers
        return try #require(configuration.policyOfFlags.pools.first)
    }

    @Test func withoutEjection_nothingIsEjectedForAnything() throws {
        #expect(try pool(nil).outliers.configuration == nil)
    }

    @Test func ejection_isThatOfTheFlags() throws {
        let given = OutlierDetectionConfiguration(
            consecutiveFailures: 7, baseEjectionTime: .seconds(3))
        let used = try #require(try pool(given).outliers.configuration)
        #expect(used.consecutiveFailures == 7)
        #expect(used.baseEjectionTime == .seconds(3))
        #expect(used.successRate != nil)
    }
}
