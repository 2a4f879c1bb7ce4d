import Foundation
import MartletConfiguration
import Testing

@testable import MartletGateway

@Suite("The file of credentials")
struct CredentialsFileTests {
    private let digest = SecretDigest(of: "secret").hex

    private func faults(_ text: String) -> [String] {
        do {
            _ = try readCredentials(text)
            return []
        } catch let error as ConfigurationError {
            return error.messages.map {
                $0.replacing("/etc/martlet/credentials.yaml:", with: "")
            }
        } catch {
            return ["\(error)"]
        }
    }

    @Test func everything_isRead() throws {
        let credentials = try readCredentials(
            """
            tenants:
              - name: team-a
                quotas: {concurrent: 9}
            keys:
              - id: alice
                sha256: \(digest)
                tenant: team-a
                scope:
                  models: [pitch, "fraud-*"]
                  verbs: [predict, status]
                  priority_highest: critical
                  priority_lowest: normal
                quotas:
                  requests_per_second: 5
                  burst: 7
                  models:
                    "fraud-*": {requests_per_second: 0.5, concurrent: 1}
                expires: 2027-01-31
            certificates:
              - {name: edge, dns: "*.Edge.example.com", tenant: team-a}
            \(issuerSettings("    algorithms: [ES256]\n    scope_claim: scp"))
            """)
        let key = try #require(credentials.keys.first)
        #expect(key.scope.allows(model: "fraud-2") && !key.scope.allows(model: "pitch2"))
        #expect(key.scope.verbs == AccessVerbs([.predict, .status]))
        #expect(key.scope.priorities == .critical ... .normal)
        #expect(key.quotas.total == QuotaLimits(rate: TokenRate(perSecond: 5, burst: 7)))
        #expect(
            key.quotas.limits(of: "fraud-9")
                == QuotaLimits(rate: TokenRate(perSecond: 0.5, burst: 1), concurrent: 1))
        #expect(key.quotas.limits(of: "pitch") == nil)
        #expect(key.expires == Timestamp("2027-01-31"))
        let certificate = try #require(credentials.certificates.first)
        #expect(certificate.matches(.dns("A.edge.EXAMPLE.com")))
        #expect(!certificate.matches(.uri("a.edge.example.com")))
        let issuer = try #require(credentials.issuers.first)
        #expect(issuer.algorithms == [.es256] && issuer.scopeClaim == "scp")
        #expect(issuer.clockSkew == .seconds(60))
    }

    @Test func addresses_areTheSameInAnyCaseBehindTheAt() throws {
        let credentials = try readCredentials(
            "certificates: [{name: staff, email: \"*@Example.com\", tenant: a}]")
        let certificate = try #require(credentials.certificates.first)
        #expect(certificate.matches(.email("Bob@EXAMPLE.com")))
        #expect(!certificate.matches(.email("Bob@sub.example.com")))
        #expect(!certificate.matches(.email("bob@evil@example.com")))
    }

    @Test func strangeKeys_areRefusedWithTheirPlaceAndTheNearest() {
        #expect(
            faults("keys:\n  - id: a\n    sha265: \(digest)\n    tenant: t")
                == ["3:5: keys[0].sha265: unknown key; did you mean 'sha256'?"])
    }

    /// What stands in place of a digest may be the key itself: no message may show it.
    @Test func keyInPlaceOfItsDigest_isNotShown() {
        let found = faults("keys: [{id: a, sha256: mk_very-secret, tenant: t}]")
        #expect(found.count == 1)
        #expect(found.first?.contains("64 hexadecimal digits") == true)
        #expect(found.first?.contains("secret") == false)
    }

    @Test func digestOfNothing_isRefused() {
        let found = faults(
            "keys: [{id: a, sha256: \(SecretDigest.ofNothing.hex), tenant: t}]")
        #expect(found.first?.contains("digest of nothing") == true)
    }

    @Test(arguments: ["none", "HS256", "RS512", "es256"])
    func algorithms_thatAreNotTaken_areRefused(name: String) {
        let found = faults(issuerSettings("    algorithms: [ES256, \(name)]"))
        #expect(found.first?.contains("'\(name)' is not one of ES256, ES384") == true)
    }

    @Test func whatComesTwice_isRefusedAtTheSecondPlace() {
        let found = faults(
            """
            keys:
              - {id: a, sha256: \(digest), tenant: t}
              - {id: a, sha256: \(digest), tenant: t}
            """)
        #expect(
            found == [
                "3:10: keys[1].id: is already that of keys[0] at line 2; choose another",
                "3:21: keys[1].sha256: is already that of keys[0] at line 2; choose another",
            ])
    }

    @Test func tenantsThatAreNotListed_areRefused() {
        let found = faults(
            """
            tenants: [{name: team-a}]
            keys: [{id: a, sha256: \(digest), tenant: team-b}]
            """)
        #expect(
            found == [
                "2:98: keys[0].tenant: there is no tenant 'team-b'; did you mean "
                    + "'team-a'?"
            ])
    }

    @Test(arguments: [
        ("", "one of 'keys', 'certificates', 'issuers' is missing"),
        ("keys: [{id: a, tenant: t}]", "'sha256' is missing"),
        ("certificates: [{name: a, tenant: t}]", "one of 'uri', 'dns', 'email' is missing"),
        ("certificates: [{name: a, tenant: t, uri: x, dns: y}]", "exclude each other"),
        ("issuers: [{name: a, issuer: b, audiences: [c], jwks_file: missing}]", "there is no file"),
        ("issuers: [{name: a, issuer: b, audiences: [c], jwks_url: http://x}]", "https://"),
        (
            "issuers: [{name: a, issuer: b, audiences: [c], jwks_url: https://x, "
                + "jwks_ca_file: missing}]",
            "issuers[0].jwks_ca_file: there is no file"
        ),
        (
            "issuers: [{name: a, issuer: b, audiences: [c], jwks_file: x, jwks_ca_file: y}]",
            "exclude each other"
        ),
        ("issuers: [{name: a, issuer: b, audiences: [], jwks_file: x}]", "a list of 0 items"),
    ])
    func mistakes_areTold(text: String, fault: String) {
        #expect(faults(text).contains { $0.contains(fault) }, "\(faults(text))")
    }

    @Test(arguments: [
        ("scope: {priority_highest: low, priority_lowest: high}", "matters more than"),
        ("scope: {verbs: [predicted]}", "did you mean 'predict'?"),
        ("scope: {models: ['\(String(repeating: "*a", count: 9))']}", "more than 8 '*'"),
        ("quotas: {burst: 5}", "means nothing without 'requests_per_second'"),
        ("quotas: {requests_per_second: 0}", "out of range"),
        ("quotas: {models: {a: {burst: 2}}}", "'output_tokens_per_request' is missing"),
        ("expires: 2027-02-30", "is no such day"),
    ])
    func mistakesOfAKey_areTold(text: String, fault: String) {
        let found = faults("keys: [{id: a, sha256: \(digest), tenant: t, \(text)}]")
        #expect(found.contains { $0.contains(fault) }, "\(found)")
    }

    @Test func files_areRelativeToThatOfTheCredentials() throws {
        let text = "issuers: [{name: a, issuer: b, audiences: [c], jwks_file: keys/login.json}]"
        #expect(
            try readCredentials(text).issuers.first?.keysFile == "/etc/martlet/keys/login.json")
        let fetched = text.replacing(
            "jwks_file: keys/login.json", with: "jwks_url: https://x, jwks_ca_file: keys/ca.pem")
        #expect(
            try readCredentials(fetched).issuers.first?.keysCAFile == "/etc/martlet/keys/ca.pem")
    }

    @Test func policysIssuer_isAddedToThoseOfTheFile() throws {
        let policy = try readPolicy(
            """
            endpoints: [10.0.0.1:8500]
            access:
              jwt:
                issuer: https://login.example.com
                audience: martlet
                jwks_file: login.json
                tenant_claim: org
            """
        ).policy
        let issuers = try Credentials.load(try #require(policy.access)).issuers
        #expect(issuers.map(\.name) == ["policy"])
        #expect(issuers.first?.audiences == ["martlet"])
        #expect(issuers.first?.keysFile == "/etc/martlet/login.json")
        #expect(issuers.first?.tenantClaim == "org")
    }
}

/// Reader, schema and reference say the same.
///
/// After a change of keys, `MARTLET_WRITE_REFERENCE=1 swift test --filter CredentialsSchemaTests`
/// writes the schema and the tables of the reference anew.
@Suite("Schema and reference of the file of credentials")
struct CredentialsSchemaTests {
    private static let schema = "docs/reference/credentials.schema.json"
    private static let reference = "docs/reference/credentials.md"
    private static let begin =
        "<!-- The tables below are written by CredentialsSchemaTests. -->\n"
    private static let isWriting =
        ProcessInfo.processInfo.environment["MARTLET_WRITE_REFERENCE"] == "1"

    @Test func schema_isThatOfTheReader() throws {
        if Self.isWriting { try write(Credentials.schema, to: Self.schema) }
        #expect(try repositoryFile(Self.schema) == Credentials.schema)
    }

    @Test func reference_isThatOfTheReader() throws {
        let text = try repositoryFile(Self.reference)
        let start = try #require(text.firstRange(of: Self.begin)?.upperBound)
        if Self.isWriting {
            try write(text[..<start] + "\n" + Credentials.reference, to: Self.reference)
        }
        let tables = try repositoryFile(Self.reference)[start...]
        #expect(tables == "\n" + Credentials.reference)
    }

    /// The first example of the reference is one that is read.
    @Test func exampleOfTheReference_isRead() throws {
        let text = try repositoryFile(Self.reference)
        let start = try #require(text.firstRange(of: "```yaml\n")?.upperBound)
        let end = try #require(text[start...].firstRange(of: "```")?.lowerBound)
        let credentials = try readCredentials(String(text[start..<end]))
        #expect(credentials.keys.count == 2)
        #expect(!credentials.certificates.isEmpty && !credentials.issuers.isEmpty)
    }

    private func write(_ text: some StringProtocol, to path: String) throws {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        try String(text).write(
            to: root.appendingPathComponent(path), atomically: true, encoding: .utf8)
    }
}
