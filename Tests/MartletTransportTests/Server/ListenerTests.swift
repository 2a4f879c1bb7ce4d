import Foundation
import MartletCore
import Synchronization
import Testing

@testable import MartletTransport

@Suite("Listeners", .timeLimit(.minutes(10)))
struct ListenerTests {
    private func ask(_ server: TestServer, _ text: String) async throws -> String {
        let client = try await RawClient.connect(to: server)
        try await client.send(text)
        return await client.readToEnd()
    }

    private func refusal(binding address: ListenAddress) async throws -> ServingError? {
        do {
            try await TestServer.run(at: address) { _ in }
            return nil
        } catch let error as ServingError {
            return error
        }
    }

    @Test func bind_ofAPort_answersThereAndStops() async throws {
        try await TestServer.run { (server) async throws in
            #expect(server.listener.port > 0)
            #expect(server.listener.address == "127.0.0.1:\(server.listener.port)")
            #expect(try await ask(server, http1("POST /", body: "echo")).hasSuffix("echo"))
        }
    }

    @Test func bind_ofAPortInUse_namesIt() async throws {
        try await TestServer.run { (server) async throws in
            let port = server.listener.port
            let error = try await refusal(binding: .tcp(host: "127.0.0.1", port: port))
            #expect(error?.code == .unavailable)
            #expect(error?.message == "Cannot listen on 127.0.0.1:\(port); is the port in use?")
        }
    }

    @Test func bind_ofAPortOfAllAddresses_answersIPv4AndNotesItsClientsAsSuch() async throws {
        let peer = AddressNote()
        let responder = TestResponder(http: { request, reply in
            peer.note(request.context.remoteAddress)
            reply.send(HTTPResponse(status: 200, body: request.body))
        })
        try await TestServer.run(responder, at: .anyTCP(port: 0)) { (server) async throws in
            // Of IPv4 alone where the machine has no IPv6.
            let port = server.listener.port
            #expect(["[::]:\(port)", "0.0.0.0:\(port)"].contains(server.listener.address))
            #expect(try await ask(server, http1("POST /", body: "echo")).hasSuffix("echo"))
            let error = try await refusal(binding: .anyTCP(port: port))
            #expect(error?.message == "Cannot listen on [::]:\(port); is the port in use?")
        }
        #expect(peer.text?.hasPrefix("127.0.0.1:") == true)
    }

    @Test func bind_ofASharedPort_isAllowedToSeveral() async throws {
        var options = ListenerOptions()
        options.sharesPort = true
        let shared = options
        try await TestServer.run(options: shared) { (server) async throws in
            let address = ListenAddress.tcp(host: "127.0.0.1", port: server.listener.port)
            try await TestServer.run(at: address, options: shared) { other in
                #expect(other.listener.port == server.listener.port)
            }
        }
    }

    @Test(arguments: [ListenAddress.tcp(host: "127.0.0.1", port: 0), .anyTCP(port: 0)])
    func bind_onEveryLoop_answersOnOnePortAndFreesItAtTheEnd(address: ListenAddress) async throws {
        var options = ListenerOptions()
        options.acceptsOnEveryLoop = true
        let bound = Mutex(0)
        try await TestServer.run(at: address, options: options) { (server) async throws in
            bound.withLock { $0 = server.listener.port }
            #expect(server.listener.port > 0)
            // By chance they come to different sockets.
            for _ in 0..<16 {
                #expect(try await ask(server, http1("POST /", body: "echo")).hasSuffix("echo"))
            }
        }
        // No socket of it is left, with which another could not share.
        let port = bound.withLock { $0 }
        try await TestServer.run(at: address.with(port: port)) { server in
            #expect(server.listener.port == port)
        }
    }

    @Test func bind_ofASocketPath_answersThereAndRemovesItAtTheEnd() async throws {
        let folder = try TestFolder()
        let path = folder("martlet.sock")
        let peer = AddressNote()
        let responder = TestResponder(http: { request, reply in
            peer.note(request.context.remoteAddress)
            reply.send(HTTPResponse(status: 200, body: request.body))
        })
        try await TestServer.run(responder, at: .unixSocket(path: path)) { (server) async throws in
            #expect(server.listener.address == "unix:\(path)")
            #expect(server.listener.port == 0)
            #expect(try await ask(server, http1("POST /", body: "echo")).hasSuffix("echo"))
        }
        #expect(peer.text?.hasPrefix("unix:") == true)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func bind_ofASocketPathOfADeadServer_replacesTheFile() async throws {
        let folder = try TestFolder()
        let path = folder("martlet.sock")
        try leaveSocket(at: path)
        try await TestServer.run(at: .unixSocket(path: path)) { (server) async throws in
            #expect(try await ask(server, http1("POST /", body: "echo")).hasSuffix("echo"))
        }
    }

    @Test func bind_ofASocketPathOfALivingServer_isRefusedAndDisturbsNothing() async throws {
        let folder = try TestFolder()
        let address = ListenAddress.unixSocket(path: folder("martlet.sock"))
        try await TestServer.run(at: address) { (server) async throws in
            let error = try await refusal(binding: address)
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("another server is listening there") == true)
            #expect(try await ask(server, http1("POST /", body: "echo")).hasSuffix("echo"))
        }
    }

    @Test func bind_ofAPathThatIsAFile_isRefusedAndTheFileIsKept() async throws {
        let folder = try TestFolder()
        let path = try folder.write("precious", to: "notes.txt")
        let error = try await refusal(binding: .unixSocket(path: path))
        #expect(error?.message.contains("exists and is not a socket") == true)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }

    @Test(arguments: ["", String(repeating: "a", count: 108)])
    func bind_ofAPathThatNoSocketCanHave_isRefused(path: String) async throws {
        let error = try await refusal(binding: .unixSocket(path: path))
        #expect(error?.code == .invalidArgument)
    }

    @Test func bind_inAFolderThatIsNotThere_saysSo() async throws {
        let error = try await refusal(binding: .unixSocket(path: "/nowhere/martlet.sock"))
        #expect(
            error?.message == "Cannot listen on unix:/nowhere/martlet.sock; "
                + "may this user write to the folder?")
    }

    @Test func portOfHTTP1_tellsClientsOfHTTP2() async throws {
        var options = ListenerOptions()
        options.protocols = .http1
        try await TestServer.run(options: options) { (server) async throws in
            #expect(try await ask(server, http1("POST /", body: "echo")).hasSuffix("echo"))
            let answer = try await ask(server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 505"))
            #expect(answer.hasSuffix("This port speaks HTTP/1.1 only\n"))
        }
    }

    @Test func portOfGRPC_tellsClientsOfHTTP1() async throws {
        var options = ListenerOptions()
        options.protocols = .grpc
        try await TestServer.run(options: options) { (server) async throws in
            let answer = try await ask(server, http1("GET /"))
            #expect(answer.hasPrefix("HTTP/1.1 400"))
            #expect(answer.hasSuffix("This port speaks gRPC (HTTP/2) only\n"))
            let client = try await HTTP2Client.connect(to: server)
            let call = try await client.call("/a.B/C")
            try await call.send(message: [1, 2], end: true)
            await call.readToEnd()
            #expect(call.messages == [[1, 2]])
            #expect(call.field("grpc-status") == "0")
            await client.close()
        }
    }

    @Test func portOfGRPC_refusesOtherMediaTypes() async throws {
        var options = ListenerOptions()
        options.protocols = .grpc
        let responder = TestResponder()
        try await TestServer.run(responder, options: options) { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            let stream = try await client.open(
                [
                    (":method", "GET"), (":scheme", "http"), (":path", "/"),
                    (":authority", "martlet.test"),
                ], end: true)
            await stream.readToEnd()
            #expect(stream.field(":status") == "415")
            await client.close()
        }
        #expect(responder.refusals.map(\.httpStatus) == [415])
    }
}

/// Leaves a socket file as a server does that was killed.
private func leaveSocket(at path: String) throws {
    let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, length) }
    }
    try #require(result == 0)
}
