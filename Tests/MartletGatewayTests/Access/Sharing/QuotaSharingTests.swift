import Logging
import MartletCore
import MartletTransport
import Synchronization
import Testing

@testable import MartletGateway

@Suite("Quotas through Redis")
struct QuotaSharingTests {
    private let script = QuotaScript(gateway: "beef", configuration: .init())
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func report(
        _ limits: QuotaLimits, tokens: Int = 3, inFlight: Int? = nil, model: String = ""
    ) -> QuotaReport {
        QuotaReport(
            quota: SharedQuota(pool: "tenant:a", key: QuotaKey(key: "key:alice", model: model)),
            limits: limits, tokens: tokens, since: .seconds(1), inFlight: inFlight,
            sentAt: .milliseconds(1050))
    }

    private func arguments(_ command: RedisCommand) -> [String] {
        command.arguments.map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Commands

    @Test func rate_isToldInMicroseconds() {
        let rate = QuotaLimits(rate: TokenRate(perSecond: 20, burst: 10))
        let sent = arguments(script.command(report(rate)))
        #expect(sent[0] == "EVALSHA" && sent[2] == "1")
        // A burst is 500 ms, and may be owed by sixteen, with what comes in two exchanges.
        let most = 500_000 + 16 * 700_000
        #expect(Array(sent[4...]) == ["beef", "150000", "150000", "\(most)", "", "2000000"])
        let back = arguments(script.command(report(rate, tokens: -2)))
        #expect(back[5] == "-100000")
    }

    @Test func requestsAtOnce_areToldWithoutARate() {
        let sent = arguments(script.command(report(QuotaLimits(concurrent: 4), inFlight: 2)))
        #expect(Array(sent[4...]) == ["beef", "0", "150000", "0", "2", "2000000"])
    }

    @Test func rateThatIsHardlyOne_staysWithinTheNumbersOfLua() {
        let limits = QuotaLimits(rate: TokenRate(perSecond: 1e-9, burst: 1_000_000_000))
        let sent = arguments(script.command(report(limits)))
        #expect(sent[5] == "1000000000000000" && sent[7] == "1000000000000000")
    }

    @Test func keys_nameNobodyAndAreTheSameForAllGateways() {
        let limits = QuotaLimits(rate: TokenRate(perSecond: 1))
        let other = QuotaScript(gateway: "cafe", configuration: .init())
        let key = arguments(script.command(report(limits)))[3]
        #expect(key == arguments(other.command(report(limits, tokens: 1)))[3])
        #expect(key.hasPrefix("martlet:quota:1:") && key.utf8.count == 16 + 64)
        #expect(!key.contains("alice") && !key.contains("tenant"))
        #expect(key != arguments(script.command(report(limits, model: "m")))[3])
        let pairs = [("a", "b:1"), ("a:b", "1"), ("ab", ":1"), ("1:a", "b")]
        let keys = pairs.map {
            QuotaScript.key(
                of: SharedQuota(pool: "p", key: QuotaKey(key: $0.0, model: $0.1)))
        }
        #expect(Set(keys).count == pairs.count)
    }

    @Test func command_hasOneKey_soThatAClusterCanRunIt() {
        let command = script.command(report(QuotaLimits(concurrent: 1), inFlight: 0))
        #expect(command.keys == 3..<4)
    }

    @Test func reply_isAStanding() {
        let reply = RedisReply.array([.integer(1500), .integer(4), .integer(3)])
        #expect(
            script.standing(reply)
                == QuotaStanding(
                    timeToFull: .microseconds(1500), inFlightElsewhere: 4, gateways: 3))
    }

    @Test(arguments: [
        RedisReply.null, .array([]), .integer(1), .array([.integer(1), .integer(1)]),
        .array([.integer(-1), .integer(0), .integer(1)]),
        .array([.integer(0), .integer(-1), .integer(1)]),
        .array([.integer(0), .integer(0), .integer(0)]),
        .array([.integer(0), .bytes(Array("0".utf8)), .integer(1)]), .error("ERR"),
    ])
    func replyThatIsNone_isNotTaken(reply: RedisReply) {
        #expect(script.standing(reply) == nil)
    }

    // MARK: The service

    /// Decides on so many keys, of which each may be used four times in a long while.
    private func control(
        keys: Int = 1, _ sharing: QuotaExchange.Configuration = .init()
    ) throws -> AccessControl {
        let entries = (0..<keys).map { number in
            "  - {id: k\(number), sha256: \(SecretDigest(of: "secret-\(number)").hex), tenant: a, "
                + "quotas: {requests_per_second: 0.001, burst: 4}}"
        }
        let credentials = try readCredentials("keys:\n" + entries.joined(separator: "\n"))
        return AccessControl(credentials, limits: AccessControl.Limits(sharing: sharing))
    }

    private func service(
        _ control: AccessControl, name: String = "g", send: @escaping QuotaSharing.Send
    ) -> QuotaSharing {
        QuotaSharing(control, gateway: name, clock: { .zero }, send: send, logger: logger)
    }

    private func admitted(_ control: AccessControl, of count: Int) -> Int {
        (0..<count).count { _ in
            guard let grant = control.ask("secret-0").grant else { return false }
            control.release(grant.lease)
            return true
        }
    }

    @Test func gateways_learnOfEachOther() async throws {
        let spent = Mutex<Int64>(0)
        let gateways = try (0..<2).map { _ in try control() }
        let services = gateways.enumerated().map { index, control in
            service(control, name: "g\(index)") { command in
                let cost = Int64(String(decoding: command.arguments[5], as: UTF8.self)) ?? 0
                let sum = spent.withLock { spent in
                    spent += cost
                    return spent
                }
                return .array([.integer(sum), .integer(0), .integer(1)])
            }
        }
        #expect(admitted(gateways[0], of: 3) == 3)
        #expect(admitted(gateways[1], of: 1) == 1)
        for service in services { await service.exchange() }
        #expect(admitted(gateways[1], of: 3) == 0)
        // The first exchanged before it knew of the second.
        #expect(admitted(gateways[0], of: 3) == 1)
        await services[0].exchange()
        #expect(admitted(gateways[0], of: 3) == 0)
    }

    @Test func redisThatFails_leavesTheGatewayItsOwnQuota() async throws {
        let control = try control()
        let service = service(control) { _ in throw RedisFailure(.timedOut, "no reply") }
        #expect(admitted(control, of: 2) == 2)
        await service.exchange()
        #expect(admitted(control, of: 9) == 2)
        await service.exchange()
        #expect(admitted(control, of: 9) == 0)
    }

    @Test func exchange_tellsOfABoundedNumberOfQuotas() async throws {
        let count = Mutex(0)
        let control = try control(keys: 9, .init(roundMax: 4, batchMax: 2))
        let service = service(control) { _ in
            count.withLock { $0 += 1 }
            return .array([.integer(0), .integer(0), .integer(1)])
        }
        for index in 0..<9 { #expect(control.ask("secret-\(index)").grant != nil) }
        var counts: [Int] = []
        for _ in 0..<4 {
            await service.exchange()
            counts.append(count.withLock { $0 })
        }
        #expect(counts == [4, 8, 9, 9])
    }

    // MARK: Logs

    @Test func changes_areToldOnceEach() {
        var state = QuotaSharingState()
        func note(_ isFailure: Bool, _ milliseconds: Int) -> QuotaSharingState.Change? {
            state.note(isFailure: isFailure, now: .milliseconds(milliseconds))
        }
        #expect(note(false, 0) == .shared)
        #expect(note(false, 100) == nil)
        #expect(note(true, 200) == .alone)
        #expect(note(true, 300) == nil)
        // Not before nothing has failed for a second.
        #expect(note(false, 400) == nil)
        #expect(note(true, 900) == nil)
        #expect(note(false, 1800) == nil)
        #expect(note(false, 1900) == .shared)
        #expect(note(false, 2000) == nil)
    }

    @Test func redisThatWasNeverThere_isTold() {
        var state = QuotaSharingState()
        #expect(state.note(isFailure: true, now: .zero) == .alone)
        #expect(state.note(isFailure: true, now: .seconds(9)) == nil)
        #expect(state.note(isFailure: false, now: .seconds(10)) == .shared)
    }
}
