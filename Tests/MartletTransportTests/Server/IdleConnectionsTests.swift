import MartletCore
import Testing

@testable import MartletTransport

@Suite("Idle and slow connections", .timeLimit(.minutes(10)))
struct IdleConnectionsTests {
    private func open(_ count: Int, _ server: TestServer) async throws -> [RawClient] {
        var clients: [RawClient] = []
        for _ in 0..<count { clients.append(try await RawClient.connect(to: server)) }
        return clients
    }

    private func ask(_ server: TestServer) async throws -> String {
        let client = try await RawClient.connect(to: server)
        try? await client.send(http1("POST /", body: "echo"))
        return await client.readToEnd()
    }

    @Test func idleConnections_areHeldAndNewOnesServed() async throws {
        var limits = Limits()
        // To open them all takes longer than a client usually has to speak, on a busy machine.
        limits.headerTimeout = .seconds(600)
        try await TestServer.run(limits: limits) { (server) async throws in
            let idle = try await open(300, server)
            #expect(try await ask(server).hasSuffix("echo"))
            for client in [idle.first, idle.last] {
                try await client?.send(http1("POST /", body: "late"))
                #expect(await client?.readToEnd().hasSuffix("late") == true)
            }
            for client in idle { await client.close() }
        }
    }

    @Test func connectionBeyondTheLimit_isClosedAndOneIsTakenAgainWhenAnotherLeaves() async throws {
        var limits = Limits.patient
        limits.connections = 3
        try await TestServer.run(limits: limits) { (server) async throws in
            let held = try await open(3, server)
            for client in held {
                // Answered, so that the server surely counts it.
                try await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\necho")
                await client.read(until: "echo")
            }
            #expect(try await ask(server) == "")
            try await held[0].send(http1("POST /", body: "last"))
            #expect(await held[0].readToEnd().hasSuffix("last"))
            var answer = ""
            while answer.isEmpty { answer = try await ask(server) }
            #expect(answer.hasSuffix("echo"))
            for client in held { await client.close() }
        }
    }

    @Test func connectionsThatNeverSpeak_areClosedInTheEnd() async throws {
        var limits = Limits()
        limits.headerTimeout = .milliseconds(100)
        try await TestServer.run(limits: limits) { (server) async throws in
            for client in try await open(20, server) { #expect(await client.readToEnd() == "") }
        }
    }

    @Test func idleConnections_areClosedInTheEnd() async throws {
        var limits = Limits()
        // Only the pause behind an answer is short: to begin may take long on a busy machine.
        limits.headerTimeout = .seconds(600)
        limits.idleTimeout = .milliseconds(100)
        try await TestServer.run(limits: limits) { (server) async throws in
            let kept = try await RawClient.connect(to: server)
            try await kept.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\necho")
            #expect(await kept.readToEnd().hasSuffix("echo"))
        }
    }
}
