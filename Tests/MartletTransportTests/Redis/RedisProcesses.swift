import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import MartletTransport

/// What a program prints; its error output is left out.
///
/// - Throws: an issue of the test when the program fails.
@discardableResult
func output(of program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    let text = String(decoding: bytes, as: UTF8.self)
    try #require(process.terminationStatus == 0, "\(program) \(arguments): \(text)")
    return text
}

/// Waits until something is so, which takes as long as it takes; a test that waits in vain fails.
func eventually(
    _ condition: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    for _ in 0..<9000 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    try #require(Bool(false), "waited in vain", sourceLocation: sourceLocation)
}

/// Ports that nobody listens on, all different.
func freeRedisPorts(_ count: Int) async throws -> [Int] {
    let eventLoops = EventLoops(count: 1)
    var channels: [any Channel] = []
    // All stay open until the last is found, or one would be found twice.
    for _ in 0..<count {
        channels.append(
            try await ServerBootstrap(group: eventLoops.group)
                .bind(host: "127.0.0.1", port: 0).get())
    }
    let ports = channels.compactMap { $0.localAddress?.port }
    await eventLoops.shutDown()
    return ports
}

/// A real `redis-server` on a free port, with its folder; both are gone with this.
final class RedisServer: Sendable {
    /// The server and its checker are one program, which goes by the name it is called by.
    private static let checker = "/usr/bin/redis-check-rdb"

    /// Whether there is one to test with.
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: checker) }

    /// What a test that is left out says.
    static let missing: Comment = "redis-server is not installed (Debian: redis-tools)"

    let address: RedisAddress
    private let folder: TestFolder
    private let process: Process

    private init(port: Int, options: [String]) throws {
        address = RedisAddress(host: "127.0.0.1", port: port)
        folder = try TestFolder()
        process = Process()
        let program = folder("redis-server")
        try FileManager.default.createSymbolicLink(
            atPath: program, withDestinationPath: Self.checker)
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments =
            [
                "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder.path,
                "--logfile", folder("log"),
            ] + options
        try process.run()
    }

    deinit { end() }

    /// Starts a server on a port, or a free one, and waits until it listens.
    ///
    /// The port is given by the last of its options.
    static func start(
        port: Int? = nil, options: [String] = [], portOption: String = "--port"
    ) async throws -> RedisServer {
        // A port that was free may be somebody's by now.
        for _ in 0..<5 {
            let port = if let port { port } else { try await freeRedisPorts(1)[0] }
            let server = try RedisServer(port: port, options: options + [portOption, "\(port)"])
            if try await server.listens() { return server }
        }
        try #require(Bool(false), "redis-server does not start")
        throw CancellationError()
    }

    /// Starts a member of a cluster that is yet to be made.
    static func startMember() async throws -> RedisServer {
        for _ in 0..<5 {
            let ports = try await freeRedisPorts(2)
            let options = [
                "--cluster-enabled", "yes", "--cluster-node-timeout", "3000",
                "--cluster-replica-validity-factor", "0", "--cluster-require-full-coverage", "no",
                "--cluster-port", "\(ports[1])",
                "--port", "\(ports[0])",
            ]
            let server = try RedisServer(port: ports[0], options: options)
            if try await server.listens() { return server }
        }
        try #require(Bool(false), "redis-server does not start")
        throw CancellationError()
    }

    /// What `redis-cli` prints of a command.
    @discardableResult
    func cli(_ arguments: String...) throws -> String {
        let text = try output(
            of: "/usr/bin/redis-cli", ["-p", "\(address.port)"] + arguments)
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Kills it without a warning.
    func end() {
        if process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    /// It lives on, but does nothing.
    func pause() { kill(process.processIdentifier, SIGSTOP) }

    /// It goes on.
    func resume() { kill(process.processIdentifier, SIGCONT) }

    private func listens() async throws -> Bool {
        let eventLoops = EventLoops(count: 1)
        var isListening = false
        for _ in 0..<1000 where process.isRunning && !isListening {
            let channel = try? await ClientBootstrap(group: eventLoops.group)
                .connect(host: address.host, port: address.port).get()
            isListening = channel != nil
            if !isListening { try await Task.sleep(for: .milliseconds(10)) }
        }
        await eventLoops.shutDown()
        return isListening && process.isRunning
    }
}
