import MartletTestKit
import Testing

@testable import MartletGateway

/// Random requests, releases and reloads, beside a plain account of what is allowed.
@Suite("Access: random histories")
struct AccessPropertyTests {
    @Test func decisions_areThoseOfAPlainAccount() throws {
        for seed in SimulationSeeds.first(300) {
            var world = try AccessWorld(seed: seed)
            for _ in 0..<120 where world.complaint == nil { try world.step() }
            #expect(
                world.complaint == nil,
                "\(world.complaint ?? "") \(SimulationSeeds.replay(seed))")
            guard world.complaint == nil else { return }
        }
    }
}

private struct AccessWorld {
    /// What a key is given in the file.
    private struct Key {
        var tenant: Int
        var models: [String]?
        var verbs: [AccessVerb]
        var concurrent: Int?
        var concurrentOfB: Int?
        var isDisabled: Bool
    }

    /// A request under way.
    private struct Request {
        var key: Int
        var model: String
        var lease: AccessLease
    }

    private static let models = ["a", "b", "b2"]
    private static let modelLists: [[String]?] = [nil, nil, ["a"], ["b*"], ["a", "b"]]
    private static let verbs: [AccessVerb] = [.predict, .status, .chat, .admin]

    private var generator: SeededGenerator
    private var keys: [Key] = []
    private var concurrentOfTenants: [Int?] = []
    private let control: AccessControl
    private var requests: [Request] = []
    private(set) var complaint: String?

    init(seed: UInt64) throws {
        generator = SeededGenerator(seed: seed)
        control = AccessControl(nil)
        try reload()
    }

    mutating func step() throws {
        switch Int.random(in: 0..<20, using: &generator) {
        case 0: try reload()
        case 1..<6:
            guard let index = requests.indices.randomElement(using: &generator) else { return }
            control.release(requests.remove(at: index).lease)
        default: ask()
        }
    }

    /// Other scopes and quotas for the same keys: what is under way counts on.
    private mutating func reload() throws {
        concurrentOfTenants = (0..<2).map { _ in limit(1...6) }
        keys = (0..<4).map { number in
            Key(
                tenant: number % 2,
                models: AccessWorld.modelLists.randomElement(using: &generator) ?? nil,
                verbs: AccessWorld.verbs.filter { _ in Bool.random(using: &generator) },
                concurrent: limit(1...4), concurrentOfB: limit(1...2),
                isDisabled: Int.random(in: 0..<8, using: &generator) == 0)
        }
        control.replace(try readCredentials(text))
    }

    private mutating func limit(_ range: ClosedRange<Int>) -> Int? {
        Bool.random(using: &generator) ? nil : Int.random(in: range, using: &generator)
    }

    private var text: String {
        func quotas(_ total: Int?, _ models: String = "") -> String {
            let parts = [total.map { "concurrent: \($0)" }, models.isEmpty ? nil : models]
            return "quotas: {\(parts.compactMap { $0 }.joined(separator: ", "))}"
        }
        var lines = ["tenants:"]
        for (number, limit) in concurrentOfTenants.enumerated() {
            lines.append("  - {name: team-\(number), \(quotas(limit))}")
        }
        lines.append("keys:")
        for (number, key) in keys.enumerated() {
            let ofB = key.concurrentOfB.map { "models: {'b*': {concurrent: \($0)}}" } ?? ""
            let verbs = key.verbs.map(\.rawValue).joined(separator: ", ")
            let names = key.models?.map { "'\($0)'" }.joined(separator: ", ")
            let models = names.map { "models: [\($0)]" }
            let scope = [models, key.verbs.isEmpty ? nil : "verbs: [\(verbs)]"].compactMap { $0 }
            lines.append(
                "  - {id: k\(number), sha256: \(SecretDigest(of: "secret-\(number)").hex), "
                    + "tenant: team-\(key.tenant), disabled: \(key.isDisabled), "
                    + "scope: {\(scope.joined(separator: ", "))}, "
                    + "\(quotas(key.concurrent, ofB))}")
        }
        return lines.joined(separator: "\n")
    }

    private mutating func ask() {
        let number = Int.random(in: 0..<5, using: &generator)
        let model = AccessWorld.models.randomElement(using: &generator) ?? "a"
        let verb = AccessWorld.verbs.randomElement(using: &generator) ?? .predict
        let isInBody = Bool.random(using: &generator)
        var decision = control.admit(
            AccessRequest(
                AccessQuestion(
                    AccessVerbs(verb), model: isInBody ? .notYetKnown : .named(model)),
                secret: "secret-\(number)", unixTime: .zero), now: .zero)
        if let grant = decision.grant {
            decision = control.admit(model: AskedModel(model), to: grant, now: .zero)
        }
        let status = decision.refusal?.httpStatus ?? 200
        let expected = expectedStatus(number, model, verb, isInBody)
        if status != expected { complaint = "\(status), not \(expected) for k\(number) \(model)" }
        if let lease = decision.grant?.lease {
            requests.append(Request(key: number, model: model, lease: lease))
        }
    }

    private func expectedStatus(
        _ number: Int, _ model: String, _ verb: AccessVerb, _ isInBody: Bool
    ) -> Int {
        guard number < keys.count, !keys[number].isDisabled else { return 401 }
        let key = keys[number]
        guard key.verbs.isEmpty ? verb != .admin : key.verbs.contains(verb) else { return 403 }
        let allowsModel =
            key.models?.contains { $0 == model || $0 == "b*" && model != "a" } ?? true
        // A model in the body comes after the quotas of all models.
        if isInBody, isFull(number) { return 429 }
        guard allowsModel else { return 403 }
        return isFull(number) || isFull(number, of: model) ? 429 : 200
    }

    /// Requests under way of a quota: those that were admitted while it was limited.
    private func count(_ owner: String, _ model: String = "") -> Int {
        let quota = QuotaKey(key: owner, model: model)
        return requests.count { $0.lease.claims.contains { $0.key == quota } }
    }

    private func isFull(_ number: Int) -> Bool {
        let key = keys[number]
        let tenant = "tenant:team-\(key.tenant)"
        if let most = concurrentOfTenants[key.tenant], count(tenant) >= most { return true }
        guard let most = key.concurrent else { return false }
        return count("key:k\(number)") >= most
    }

    private func isFull(_ number: Int, of model: String) -> Bool {
        guard model != "a", let most = keys[number].concurrentOfB else { return false }
        return count("key:k\(number)", model) >= most
    }
}
