import Foundation
import Logging
import MartletCore
import MartletTransport
import Testing

@testable import MartletModelServer

@Suite("Whose a request is, and which others it goes before")
struct RequestAdmissionTests {
    private let context = RequestContext(remoteAddress: "10.0.0.1:5")

    private func tenant(_ admission: RequestAdmission, _ headers: HeaderFields) throws -> String {
        try admission.check(operation: "predict", headers: headers, context: context)
    }

    /// A file with the key `secret` of `alice`, and `other` without a name.
    private func keys() throws -> APIKeyFile {
        let path = NSTemporaryDirectory() + "martlet-keys-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try "alice: secret\nother\n".write(toFile: path, atomically: true, encoding: .utf8)
        return try APIKeyFile(
            path: path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    // MARK: Tenants

    @Test func whatAnybodySaysOfItsTenant_isNotBelieved() throws {
        let named: HeaderFields = ["x-martlet-tenant": "team-a", "x-api-key": "secret"]
        #expect(try tenant(RequestAdmission(keys: nil), named) == "")
        #expect(try tenant(RequestAdmission(keys: keys()), named) == "alice")
    }

    @Test func whatATrustedGatewaySays_tellsTenantsApart() throws {
        let trusting = RequestAdmission(keys: nil, trustsGateway: true)
        let tenants = try [[:], ["X-Martlet-Tenant": "a"], ["x-martlet-tenant": "b"]].map {
            try tenant(trusting, $0)
        }
        #expect(Set(tenants).count == 3)
        #expect(tenants.first == "")
    }

    @Test func whatATrustedGatewaySays_neverLeadsOutOfItsKey() throws {
        let trusting = RequestAdmission(keys: try keys(), trustsGateway: true)
        let tenants = try [
            ["x-api-key": "secret"], ["x-api-key": "other"],
            ["x-api-key": "secret", "x-martlet-tenant": "a"],
            ["x-api-key": "other", "x-martlet-tenant": "a"],
            ["x-api-key": "other", "x-martlet-tenant": "alice"],
            ["x-api-key": "other", "x-martlet-tenant": "alice:a"],
        ].map { try tenant(trusting, $0) }
        #expect(Set(tenants).count == tenants.count)
        #expect(throws: ServingError.self) {
            try tenant(trusting, ["x-martlet-tenant": "a"])
        }
    }

    @Test(arguments: ["", "a b", String(repeating: "a", count: 769)])
    func aTenantThatThereCannotBe_isRefusedByName(value: String) throws {
        let error = #expect(throws: ServingError.self) {
            try tenant(
                RequestAdmission(keys: nil, trustsGateway: true), ["x-martlet-tenant": value])
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.hasPrefix("x-martlet-tenant has \(value.utf8.count) bytes") == true)
    }

    // MARK: Priorities

    @Test func priorities_areReadWhereTheyCount() throws {
        let admission = RequestAdmission(keys: nil, readsPriorities: true, trustsGateway: true)
        let high = try admission.standing(tenant: "a", headers: ["X-Martlet-Priority": "High"])
        #expect(high == TaskStanding(priority: .high, tenant: "a"))
        #expect(try admission.standing(tenant: "", headers: [:]) == TaskStanding())
        let error = #expect(throws: ServingError.self) {
            try admission.standing(tenant: "", headers: ["x-martlet-priority": "urgent"])
        }
        #expect(error?.code == .invalidArgument)
        #expect(
            error?.message == "x-martlet-priority is 'urgent'; use one of high, normal, low")
        let other = RequestAdmission(keys: nil)
        let headers: HeaderFields = ["x-martlet-priority": "urgent"]
        #expect(try other.standing(tenant: "", headers: headers) == TaskStanding())
    }

    @Test func whoIsNotTrusted_mayLetOthersGoFirst_andNoMore() throws {
        let admission = RequestAdmission(keys: nil, readsPriorities: true)
        let priorities = try ["high", "normal", "low"].map {
            try admission.priority(in: ["x-martlet-priority": $0])
        }
        #expect(priorities == [.normal, .normal, .low])
        let standing = try admission.standing(tenant: "", headers: ["x-martlet-priority": "high"])
        #expect(standing == TaskStanding())
    }
}
