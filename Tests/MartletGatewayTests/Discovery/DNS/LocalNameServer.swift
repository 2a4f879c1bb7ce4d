import Foundation
import Synchronization

/// A name server on 127.0.0.1, over UDP and TCP, which answers as a test says.
final class LocalNameServer: Sendable {
    /// What is asked.
    struct Question: Sendable {
        let name: String
        let type: Int
    }

    /// What is answered.
    struct Answer: Sendable {
        var code = 0
        var answers: [MessageBytes.Record] = []
        var others: [MessageBytes.Record] = []
    }

    struct Failure: Error {}

    let port: Int
    private let datagrams: CInt
    private let listener: CInt
    private let isStopped = Atomic<Bool>(false)

    init(_ answer: @escaping @Sendable (Question) -> Answer) throws {
        (datagrams, listener, port) = try Self.sockets()
        // Each closes what it serves when it ends: a number must not become another's before.
        start { [datagrams] in
            while Self.serveDatagram(datagrams, answer) {}
            close(datagrams)
        }
        start { [listener] in
            while Self.serveConnection(listener, answer) {}
            close(listener)
        }
    }

    deinit { stop() }

    /// Nothing is answered from now on.
    func stop() {
        guard !isStopped.exchange(true, ordering: .relaxed) else { return }
        // Wakes those who wait.
        shutdown(datagrams, CInt(SHUT_RDWR))
        shutdown(listener, CInt(SHUT_RDWR))
    }

    private func start(_ work: @escaping @Sendable () -> Void) {
        Thread(block: work).start()
    }

    /// Two sockets with one port: another program may have one of a pair.
    private static func sockets() throws -> (datagrams: CInt, listener: CInt, port: Int) {
        for _ in 0..<20 {
            let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            let datagrams = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
            if let port = bind(listener, port: 0), bind(datagrams, port: port) != nil,
                listen(listener, 8) == 0
            {
                return (datagrams, listener, port)
            }
            close(listener)
            close(datagrams)
        }
        throw Failure()
    }

    private static func bind(_ socket: CInt, port: Int) -> Int? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                Foundation.bind(socket, pointer, length) == 0
                    && getsockname(socket, pointer, &length) == 0
            }
        }
        return isBound ? Int(in_port_t(bigEndian: address.sin_port)) : nil
    }

    /// Answers a question; false once there is none any more.
    private static func serveDatagram(_ socket: CInt, _ answer: (Question) -> Answer) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 2048)
        var peer = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &peer) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
                let count = recvfrom(socket, &buffer, buffer.count, 0, peer, &length)
                guard count > 0 else { return false }
                let reply = bytes(of: answer, to: Array(buffer.prefix(count)), room: 1200)
                sendto(socket, reply, reply.count, 0, peer, length)
                return true
            }
        }
    }

    /// Answers a question; false once there is none any more.
    private static func serveConnection(_ listener: CInt, _ answer: (Question) -> Answer) -> Bool {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return false }
        defer { close(connection) }
        var buffer = [UInt8](repeating: 0, count: 2048)
        let count = read(connection, &buffer, buffer.count)
        guard count > 2 else { return true }
        let reply = bytes(of: answer, to: Array(buffer[2..<count]), room: 65_535)
        var message = MessageBytes.number(reply.count) + reply
        while !message.isEmpty {
            let written = write(connection, message, message.count)
            guard written > 0 else { break }
            message.removeFirst(written)
        }
        return true
    }

    /// The reply to a question; cut short where there is no room for it.
    private static func bytes(
        of answer: (Question) -> Answer, to asked: [UInt8], room: Int
    ) -> [UInt8] {
        var labels: [String] = []
        var place = 12
        while asked[place] > 0 {
            let end = place + 1 + Int(asked[place])
            labels.append(String(decoding: asked[(place + 1)..<end], as: UTF8.self))
            place = end
        }
        let type = Int(asked[place + 1]) << 8 | Int(asked[place + 2])
        let answer = answer(Question(name: labels.joined(separator: "."), type: type))
        var message = MessageBytes()
        message.identifier = Int(asked[0]) << 8 | Int(asked[1])
        message.flags = 0x8180 | answer.code
        message.question = Array(asked[12...(place + 4)])
        message.answers = answer.answers
        message.others = answer.others
        guard message.bytes.count > room else { return message.bytes }
        message.flags |= 0x0200
        message.answers = []
        message.others = []
        return message.bytes
    }
}
