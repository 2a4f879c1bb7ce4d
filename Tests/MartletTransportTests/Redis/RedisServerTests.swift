import MartletTestKit
import Testing

@testable import MartletTransport

@Suite(
    "A client of a real Redis server", .enabled(if: RedisServer.isInstalled, RedisServer.missing))
struct RedisServerTests {
    private func withClient(
        options: [String] = [], loops: Int = 2,
        _ change: (inout RedisConfiguration) -> Void = { _ in },
        _ body: (RedisClient, RedisServer) async throws -> Void
    ) async throws {
        try await RedisBench.run(loops: loops) { bench in
            let server = try await RedisServer.start(options: options)
            defer { server.end() }
            let client = try bench.client([server.address], change)
            try await body(client, server)
            await client.shutDown()
        }
    }

    @Test(arguments: [false, true])
    func values_comeBackAsTheyWent(usesRESP3: Bool) async throws {
        try await withClient {
            $0.usesRESP3 = usesRESP3
        } _: { client, _ in
            let key = Array("k\r\n\0".utf8)
            for size in [0, 1, 1000, 1 << 20] {
                var random = SeededGenerator(seed: UInt64(size))
                let value = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
                let set = try await client.send(RedisCommand("SET", key: key, value))
                #expect(set == .status("OK"))
                #expect(try await client.send(RedisCommand("GET", key: key)) == .bytes(value))
            }
            #expect(try await client.send(RedisCommand("GET", key: [])) == .null)
            #expect(try await client.result("INCRBY", "n", "-7").get() == .integer(-7))
            #expect(await client.failure(RedisCommand("INCR", key: key)) == .refused)
            _ = try await client.result("HSET", "h", "f", "v").get()
            let fields = try await client.result("HGETALL", "h").get()
            let (field, value) = (RedisReply.bytes([0x66]), RedisReply.bytes([0x76]))
            #expect(fields == (usesRESP3 ? .map([.init(field, value)]) : .array([field, value])))
            _ = try await client.result("ZADD", "z", "1.5", "m").get()
            let score = try await client.result("ZSCORE", "z", "m").get()
            #expect(score == (usesRESP3 ? .double(1.5) : .bytes(Array("1.5".utf8))))
        }
    }

    @Test func tenThousandCommandsUnderWay_eachGetTheirReply() async throws {
        try await withClient {
            $0.commandsInFlightMax = 10_000
        } _: { client, _ in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<10_000 {
                    group.addTask {
                        let result = await client.result("SET", "k\(number)", "\(number)", "GET")
                        #expect((try? result.get()) == .null)
                    }
                }
            }
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<10_000 {
                    group.addTask {
                        let result = await client.result("GET", "k\(number)")
                        #expect((try? result.get())?.text == "\(number)")
                    }
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func userWithPassword_usesTheDatabaseAskedFor(usesRESP3: Bool) async throws {
        let options = [
            "--user", "martlet", "on", ">hush", "~*", "+@all", "--user", "default", "off",
        ]
        try await withClient(options: options) {
            $0.credentials = RedisCredentials(username: "martlet", password: "hush")
            $0.database = 3
            $0.usesRESP3 = usesRESP3
        } _: { client, _ in
            _ = try await client.result("SET", "k", "v").get()
            let keyspace = try await client.send(RedisCommand("INFO", "keyspace"))
            #expect(keyspace.text?.contains("db3:keys=1") == true)
        }
        for credentials in [nil, RedisCredentials(username: "martlet", password: "loud")] {
            // Each event loop finds out by itself.
            try await withClient(options: options, loops: 1) {
                $0.credentials = credentials
            } _: { client, _ in
                #expect(await client.failure(RedisCommand("GET", key: [0x6B])) == .refused)
                #expect(await client.failure(RedisCommand("GET", key: [0x6B])) == .circuitOpen)
            }
        }
    }

    @Test func script_runs_whetherTheServerKnowsItOrNot() async throws {
        try await withClient { client, server in
            let script = RedisScript(
                "redis.call('INCRBY', KEYS[1], ARGV[1]) return {KEYS[1], redis.error_reply('E x')}")
            for _ in 0..<2 {
                let command = RedisCommand(script, keys: [[0x6B]], arguments: [Array("2".utf8)])
                let reply = try await client.send(command)
                #expect(reply == .array([.bytes([0x6B]), .error("E x")]))
            }
            try server.cli("SCRIPT", "FLUSH")
            _ = try await client.send(
                RedisCommand(script, keys: [[0x6B]], arguments: [Array("2".utf8)]))
            #expect(try await client.result("GET", "k").get().text == "6")
        }
    }

    @Test func tls_isSpoken_andStrangersAreNotTrusted() async throws {
        let certificates = try Certificates()
        let options = [
            "--port", "0", "--tls-cert-file", certificates.folder("server.pem"),
            "--tls-key-file", certificates.folder("server.key"),
            "--tls-ca-cert-file", certificates.folder("authority.pem"),
        ]
        try await RedisBench.run { bench in
            let server = try await RedisServer.start(options: options, portOption: "--tls-port")
            defer { server.end() }
            let identity = ClientTLS.Identity(
                certificateChain: .file(certificates.folder("client.pem")),
                privateKey: .file(certificates.folder("client.key")))
            let authorities = PEMSource.file(certificates.folder("authority.pem"))
            let client = try bench.client([server.address]) {
                $0.tls = ClientTLS(authorities: authorities, identity: identity)
            }
            _ = try await client.result("SET", "k", "v").get()
            #expect(try await client.result("GET", "k").get().text == "v")
            // Without a certificate, with trust in others, in the clear.
            for tls in [
                ClientTLS(authorities: authorities),
                ClientTLS(
                    authorities: .file(certificates.folder("stranger.pem")), identity: identity),
                nil,
            ] {
                let other = try bench.client([server.address]) { $0.tls = tls }
                #expect(await other.failure(RedisCommand("GET", key: [0x6B])) != nil)
            }
        }
    }

    @Test func serverThatHangs_costsTimeoutsOnly_andServesAgain() async throws {
        try await withClient {
            $0.commandTimeout = .milliseconds(200)
            $0.connectTimeout = .milliseconds(200)
            $0.failuresMax = 2
            $0.restMin = .milliseconds(20)
            $0.restMax = .milliseconds(50)
        } _: { client, server in
            try await eventually { (try? await client.result("SET", "k", "v").get()) != nil }
            server.pause()
            try await eventually { await client.failure(RedisCommand("PING")) == .circuitOpen }
            server.resume()
            try await eventually { (try? await client.result("GET", "k").get())?.text == "v" }
        }
    }

    @Test func serverThatIsKilled_andStartedAnew_servesAgain() async throws {
        try await withClient {
            $0.restMin = .milliseconds(20)
            $0.restMax = .milliseconds(50)
        } _: { client, server in
            _ = try await client.result("SET", "k", "v").get()
            server.end()
            try await eventually { await client.failure(RedisCommand("PING")) == .circuitOpen }
            let again = try await RedisServer.start(port: server.address.port)
            defer { again.end() }
            // What it knew is gone; that it is empty is no failure.
            try await eventually { (try? await client.result("GET", "k").get())?.isNull == true }
        }
    }
}
