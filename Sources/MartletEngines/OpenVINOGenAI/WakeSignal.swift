internal import Foundation
import MartletCore

/// Two ends of a connection within this process, which no child inherits.
enum SocketPair {
    /// - Parameter options: of the sockets, such as `SOCK_NONBLOCK`.
    /// - Returns: the ends; `nil` with `errno` set when there are none to be had.
    static func make(_ options: Int32 = 0) -> (Int32, Int32)? {
        var pair: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | options
        return socketpair(AF_UNIX, kind, 0, &pair) == 0 ? (pair[0], pair[1]) : nil
    }
}

/// Wakes a thread that waits for files, from any other.
final class WakeSignal: Sendable {
    /// Can be read once the signal was given.
    let file: Int32
    private let writing: Int32

    /// - Throws: `ServingError` (`RESOURCE_EXHAUSTED`) if there are no files to be had.
    init() throws {
        guard let pair = SocketPair.make(Int32(SOCK_NONBLOCK.rawValue)) else {
            throw ServingError(
                .resourceExhausted,
                "No socket is to be had: \(String(cString: strerror(errno)))")
        }
        (file, writing) = pair
    }

    deinit {
        close(file)
        close(writing)
    }

    /// Wakes the thread.
    func give() {
        var byte: UInt8 = 1
        // One that is full wakes as well.
        _ = write(writing, &byte, 1)
    }

    /// Waits for the signal; at most so long.
    func wait(for timeout: Duration) {
        var file = pollfd(fd: self.file, events: Int16(POLLIN), revents: 0)
        let milliseconds = Int32(min(max(0, (timeout.seconds * 1000).rounded(.up)), 60_000))
        if poll(&file, 1, milliseconds) > 0 { clear() }
    }

    /// Takes the signal back.
    func clear() {
        var bytes: [UInt8] = Array(repeating: 0, count: 64)
        while read(file, &bytes, bytes.count) > 0 {}
    }
}
