import Testing

@testable import MartletTransport

@Suite("The handshake with a Redis server")
struct RedisHandshakeTests {
    private let server = RedisAddress(host: "h", port: 1)

    private func begin(
        _ change: (inout RedisConfiguration) -> Void = { _ in }
    ) -> RedisHandshake {
        var configuration = RedisConfiguration(addresses: [server])
        change(&configuration)
        return RedisHandshake(configuration, server: server)
    }

    private func commands(_ change: (inout RedisConfiguration) -> Void = { _ in }) -> [String] {
        begin(change).commands.map { command in
            command.arguments.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
    }

    @Test func commands_followTheConfiguration() {
        #expect(commands() == ["PING"])
        #expect(
            commands {
                $0.credentials = RedisCredentials(password: "p")
                $0.database = 3
            } == ["AUTH p", "SELECT 3", "PING"])
        let user = RedisCredentials(username: "u", password: "p")
        #expect(commands { $0.credentials = user } == ["AUTH u p", "PING"])
        #expect(commands { $0.usesRESP3 = true } == ["HELLO 3", "PING"])
        #expect(
            commands {
                $0.usesRESP3 = true
                $0.credentials = user
            } == ["HELLO 3 AUTH u p", "PING"])
        // A cluster has one database.
        #expect(
            commands {
                $0.isCluster = true
                $0.database = 3
            } == ["PING"])
    }

    @Test func lastReply_finishesIt() {
        var handshake = begin { $0.database = 3 }
        guard case .unfinished = handshake.receive(.status("OK")),
            case .finished = handshake.receive(.status("PONG"))
        else {
            Issue.record("finished at another reply")
            return
        }
    }

    @Test(arguments: [
        ("LOADING Redis is loading the dataset in memory", RedisFailure.Code.unavailable),
        ("NOAUTH Authentication required.", .refused),
    ])
    func error_failsIt(text: String, code: RedisFailure.Code) {
        var handshake = begin()
        guard case .failed(let failure) = handshake.receive(.error(text)) else {
            Issue.record("an error was taken for a welcome")
            return
        }
        #expect(failure.code == code)
        #expect(failure.message.contains(text))
    }

    @Test func serverThatRepeatsThePassword_isNotQuoted() {
        var handshake = begin { $0.credentials = RedisCredentials(password: "hush") }
        guard case .failed(let failure) = handshake.receive(.error("ERR unknown command: hush"))
        else {
            Issue.record("an error was taken for a welcome")
            return
        }
        #expect(failure.message.contains("ERR"))
        #expect(!failure.message.contains("hush"))
    }
}
