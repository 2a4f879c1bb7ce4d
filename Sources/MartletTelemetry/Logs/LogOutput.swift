import Dispatch
import Foundation
import Logging
import Synchronization

/// Where log lines go: a file descriptor, written to by a thread of its own.
///
/// Appending never waits for the file. When the file is slower than the callers, the buffer fills
/// to its bound, further lines are dropped, and a later line says how many.
public final class LogOutput: Sendable {
    /// How long the writer rests after a write, so that a busy server pays for one write per many
    /// lines; the first line after a quiet time is written at once.
    private static let restMicroseconds: UInt32 = 2000

    private struct State {
        var buffer: LogBuffer
        var flushes: [DispatchSemaphore] = []
        var isClosing = false
    }

    let style: LogStyle
    let clock: LogClock
    private let fileDescriptor: Int32
    private let state: Mutex<State>
    private let wakeUp = DispatchSemaphore(value: 0)

    /// Starts the writer.
    ///
    /// - Parameters:
    ///   - fileDescriptor: an open file, by default standard error; it is never closed here.
    ///   - format: how lines look.
    ///   - capacityBytes: how much may wait; as much again may be in the writer's hands.
    ///   - clock: gives the time of each line.
    public convenience init(
        fileDescriptor: Int32 = 2,
        format: LogFormat = .auto,
        capacityBytes: Int = 1 << 20,
        clock: LogClock = .system
    ) {
        self.init(
            fileDescriptor: fileDescriptor,
            style: LogStyle(format: format, fileDescriptor: fileDescriptor),
            capacityBytes: capacityBytes, clock: clock)
    }

    init(fileDescriptor: Int32, style: LogStyle, capacityBytes: Int, clock: LogClock) {
        self.fileDescriptor = fileDescriptor
        self.style = style
        self.clock = clock
        state = Mutex(State(buffer: LogBuffer(capacityBytes: capacityBytes)))
        let thread = Thread { [self] in run() }
        thread.name = "martlet-log"
        thread.stackSize = 512 * 1024
        thread.start()
    }

    /// Where lines are written, unless that is standard error itself.
    var fileDescriptorOfItsOwn: Int32? { fileDescriptor == 2 ? nil : fileDescriptor }

    /// Lines dropped since the beginning.
    public var droppedLines: UInt64 {
        state.withLock { $0.buffer.droppedLines }
    }

    /// Adds a line, which ends in a newline; drops it when the buffer is full or closed.
    func append(_ line: [UInt8]) {
        let mustWake = state.withLock { state in
            guard !state.isClosing else {
                state.buffer.drop(lines: 1)
                return false
            }
            return state.buffer.append(line)
        }
        if mustWake { wakeUp.signal() }
    }

    /// Waits until everything appended before is written, for shutdown and crashes.
    ///
    /// - Returns: false when the file did not take it in time.
    @discardableResult
    public func flush(timeoutSeconds: Double = 5) -> Bool {
        finishWriting(isClosing: false, timeoutSeconds: timeoutSeconds)
    }

    /// Flushes and ends the writer's thread; lines appended afterwards are dropped.
    ///
    /// An output that lives as long as the process needs only ``flush(timeoutSeconds:)``.
    public func close(timeoutSeconds: Double = 5) {
        finishWriting(isClosing: true, timeoutSeconds: timeoutSeconds)
    }

    @discardableResult
    private func finishWriting(isClosing: Bool, timeoutSeconds: Double) -> Bool {
        let done = DispatchSemaphore(value: 0)
        let wasOpen = state.withLock { state in
            guard !state.isClosing else { return false }
            state.isClosing = isClosing
            state.flushes.append(done)
            return true
        }
        guard wasOpen else { return true }
        wakeUp.signal()
        return done.wait(timeout: .now() + timeoutSeconds) == .success
    }

    private func run() {
        var batch: [UInt8] = []
        while true {
            wakeUp.wait()
            let (drops, flushes, isClosing) = state.withLock { state in
                let drops = state.buffer.take(into: &batch)
                defer { state.flushes = [] }
                return (drops, state.flushes, state.isClosing)
            }
            write(batch)
            if drops > 0, !write(dropReport(drops), isCounted: false) {
                state.withLock { $0.buffer.restore(unreportedDrops: drops) }
            }
            for flush in flushes { flush.signal() }
            if isClosing { return }
            usleep(Self.restMicroseconds)
        }
    }

    /// Writes lines, and counts those the file refused unless they are a report of this count.
    @discardableResult
    private func write(_ lines: [UInt8], isCounted: Bool = true) -> Bool {
        let unwritten = lines.withUnsafeBytes { writeAll($0, to: fileDescriptor) }
        if unwritten > 0, isCounted {
            let lost = lines.suffix(unwritten).count { $0 == UInt8(ascii: "\n") }
            state.withLock { $0.buffer.drop(lines: UInt64(lost)) }
        }
        return unwritten == 0
    }

    private func dropReport(_ lines: UInt64) -> [UInt8] {
        var line = LogLine(
            style: style, instantNanoseconds: clock.now(), level: .warning, label: "martlet.log",
            message: "Log lines were dropped because they came faster than they could be written.")
        line.append("dropped_lines", integer: Int(clamping: lines))
        return line.finished()
    }
}
