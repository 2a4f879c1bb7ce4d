internal import Foundation
import MartletCore

/// A worker's process, its socket and what it writes to its standard error; for one thread.
///
/// Its socket is its standard input: when this process ends, however it does, the worker reads the
/// end of it and ends too.
final class GenAIProcess {
    /// What was heard of a worker.
    struct News {
        /// Lines of its messages.
        var messages: [[UInt8]] = []
        /// Lines that it, or the engine in it, wrote for people.
        var remarks: [String] = []
        /// Why it is of no more use; `nil` while it lives.
        var fault: String?
    }

    /// A step of 64 sequences is a few kilobytes.
    private static let messageBytesMax = 1 << 20
    private static let remarkBytesMax = 16 << 10

    private let pid: pid_t
    private let socket: Int32
    private let errors: Int32
    private var messages = LineAssembler(bytesMax: messageBytesMax)
    private var remarks = LineAssembler(bytesMax: remarkBytesMax)
    private var hasEnded = false

    /// Starts a process.
    ///
    /// - Parameters:
    ///   - command: the program's path and its arguments.
    ///   - sendTimeout: how long a worker may take to read a message.
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says why it does not start.
    init(command: [String], sendTimeout: Duration) throws {
        guard let (ours, theirs) = SocketPair.make() else {
            throw GenAIProcess.unstarted(command, String(cString: strerror(errno)))
        }
        defer { close(theirs) }
        guard let (reading, writing) = SocketPair.make() else {
            close(ours)
            throw GenAIProcess.unstarted(command, String(cString: strerror(errno)))
        }
        defer { close(writing) }
        var timeout = timeval(tv_sec: Int(max(1, sendTimeout.components.seconds)), tv_usec: 0)
        setsockopt(
            ours, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        do throws(SpawnedProgram.Failure) {
            pid = try SpawnedProgram(
                executable: command.first ?? "", arguments: Array(command.dropFirst()),
                input: theirs, output: writing
            ).start()
        } catch {
            close(ours)
            close(reading)
            throw GenAIProcess.unstarted(command, error.reason)
        }
        socket = ours
        errors = reading
    }

    deinit { end() }

    /// Sends a message; waits while the worker is behind with reading.
    ///
    /// - Returns: whether it went out whole.
    func say(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            // Without a signal for a worker that is gone.
            let count = rest.withUnsafeBytes {
                send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Waits until the worker says something, `wake` can be read, or the time is over.
    func hear(for timeout: Duration, or wake: WakeSignal) -> News {
        var files = [socket, errors, wake.file].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        let milliseconds = Int32(min(max(0, (timeout.seconds * 1000).rounded(.up)), 60_000))
        var news = News()
        guard poll(&files, nfds_t(files.count), milliseconds) > 0 else { return news }
        if files[2].revents != 0 { wake.clear() }
        if files[1].revents != 0 { takeRemarks(&news) }
        if files[0].revents != 0 { takeMessages(&news) }
        return news
    }

    private func takeMessages(_ news: inout News) {
        guard let piece = GenAIProcess.piece(of: socket), !piece.isEmpty else {
            news.fault = end()
            return
        }
        guard let lines = messages.take(piece) else {
            news.fault = "it said more than \(GenAIProcess.messageBytesMax) bytes in one message"
            return
        }
        news.messages = lines
    }

    private func takeRemarks(_ news: inout News) {
        guard let piece = GenAIProcess.piece(of: errors), !piece.isEmpty else { return }
        guard let lines = remarks.take(piece) else {
            remarks = LineAssembler(bytesMax: GenAIProcess.remarkBytesMax)
            return
        }
        news.remarks = lines.map { String(decoding: $0, as: UTF8.self) }.filter { !$0.isEmpty }
    }

    /// What there is; empty at the end, `nil` after a failure.
    private static func piece(of file: Int32) -> [UInt8]? {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            var got = -1
            repeat {
                got = read(file, buffer.baseAddress, buffer.count)
            } while got < 0 && errno == EINTR
            failed = got < 0
            count = max(0, got)
        }
        return failed ? nil : bytes
    }

    /// Ends the process if it has not ended, and gives back all that it has.
    ///
    /// - Returns: how it ended, such as `signal 9`.
    @discardableResult
    func end() -> String {
        guard !hasEnded else { return "it has ended" }
        hasEnded = true
        var status: Int32 = 0
        shutdown(socket, Int32(SHUT_RDWR))
        // One that ends by itself is given the time to say how.
        var ended = GenAIProcess.wait(pid, &status, tries: 20)
        if !ended {
            kill(pid, SIGKILL)
            repeat { ended = waitpid(pid, &status, 0) == pid } while !ended && errno == EINTR
        }
        close(socket)
        close(errors)
        let signal = status & 0x7f
        guard signal == 0 else { return "signal \(signal) ended it" }
        return "it ended with code \(status >> 8 & 0xff)"
    }

    private static func wait(_ pid: pid_t, _ status: inout Int32, tries: Int) -> Bool {
        for _ in 0..<tries {
            let found = waitpid(pid, &status, WNOHANG)
            if found == pid || found < 0 && errno == ECHILD { return true }
            usleep(5000)
        }
        return false
    }

    private static func unstarted(_ command: [String], _ reason: String) -> ServingError {
        ServingError(
            .unavailable,
            "The worker of OpenVINO GenAI cannot be started: \(command.first ?? ""): \(reason)")
    }
}
