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
    /// What was said, of which so much has gone out.
    private var outgoing: [UInt8] = []
    private var sent = 0
    /// Whether nothing comes by its standard error any more.
    private var isMute = false
    private var hasEnded = false

    /// Starts a process.
    ///
    /// - Parameter command: the program's path and its arguments.
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says why it does not start.
    init(command: [String]) throws {
        guard let (ours, theirs) = SocketPair.make() else {
            throw GenAIProcess.unstarted(command, String(cString: strerror(errno)))
        }
        defer { close(theirs) }
        guard let (reading, writing) = SocketPair.make() else {
            close(ours)
            throw GenAIProcess.unstarted(command, String(cString: strerror(errno)))
        }
        defer { close(writing) }
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

    /// Whether the worker has not read all that it was told: no more should be said to it.
    var isBehind: Bool { sent < outgoing.count }

    /// Sends a message, now or as soon as the worker reads.
    ///
    /// - Returns: whether there is a worker to send it to.
    func say(_ bytes: [UInt8]) -> Bool {
        outgoing += bytes
        return flush()
    }

    private func flush() -> Bool {
        while sent < outgoing.count {
            // Without a signal for a worker that is gone, and without waiting for one that hangs:
            // others' time may be over meanwhile.
            let count = outgoing[sent...].withUnsafeBytes {
                send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            let failure = errno
            if count > 0 {
                sent += count
            } else if count < 0, failure == EAGAIN || failure == EWOULDBLOCK {
                return true
            } else if count == 0 || failure != EINTR {
                return false
            }
        }
        outgoing.removeAll()
        sent = 0
        return true
    }

    /// Waits until the worker says something, `wake` can be read, or the time is over.
    func hear(for timeout: Duration, or wake: WakeSignal) -> News {
        let input = Int16(POLLIN)
        let output = Int16(POLLOUT)
        var files = [
            pollfd(fd: socket, events: isBehind ? input | output : input, revents: 0),
            // The end of it could be read for ever.
            pollfd(fd: isMute ? -1 : errors, events: input, revents: 0),
            pollfd(fd: wake.file, events: input, revents: 0),
        ]
        let milliseconds = Int32(min(max(0, (timeout.seconds * 1000).rounded(.up)), 60_000))
        var news = News()
        guard poll(&files, nfds_t(files.count), milliseconds) > 0 else { return news }
        if files[2].revents != 0 { wake.clear() }
        if files[1].revents != 0 { takeRemarks(&news) }
        // Of one that is gone there is an end to be read.
        if files[0].revents & output != 0 { _ = flush() }
        if files[0].revents & ~output != 0 { takeMessages(&news) }
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
        guard let piece = GenAIProcess.piece(of: errors), !piece.isEmpty else {
            isMute = true
            return
        }
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
