import Foundation
import MartletBench
import Synchronization

/// How far something is, in a line of text.
struct ProgressLine: Equatable {
    /// What is done.
    var title: String
    /// How much of it is done, from 0 to 1.
    var share: Double
    /// More of it, in a few words.
    var detail = ""

    private static let barWidthMax = 30
    private static let barWidthMin = 6

    /// The line with a bar, where there is room for one.
    ///
    /// - Parameter width: the terminal's columns.
    /// - Returns: at most so many letters.
    func text(width: Int) -> String {
        let plain = text
        let room = min(ProgressLine.barWidthMax, width - plain.count - 4)
        guard room >= ProgressLine.barWidthMin else { return String(plain.prefix(max(1, width))) }
        let full = Int((bounded * Double(room)).rounded(.down))
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: room - full)
        return "[\(bar)] \(plain)"
    }

    /// The line without a bar.
    var text: String {
        let percent = Int((bounded * 100).rounded(.down))
        return "\(percent) %  \(title)" + (detail.isEmpty ? "" : "  \(detail)")
    }

    /// The share, whatever was told.
    private var bounded: Double { share.isFinite ? min(max(share, 0), 1) : 0 }
}

/// Shows on standard error how far a command is: a bar that moves on a terminal, else a line at
/// each quarter of the way.
final class ProgressView: Sendable {
    /// What it draws.
    enum Style: Sendable {
        /// Nothing.
        case none
        /// Lines.
        case lines
        /// A bar.
        case bar
    }

    private struct State {
        var painter = LivePainter()
        var painted: ContinuousClock.Instant?
        var title: String?
        var quarter = 0
    }

    private static let interval = Duration.milliseconds(100)
    private static let quarters = 4.0

    private let style: Style
    private let state = Mutex(State())

    /// Draws what fits standard error.
    init(isQuiet: Bool) {
        style = isQuiet ? .none : isatty(STDERR_FILENO) == 1 ? .bar : .lines
    }

    /// Shows how far it is; called as often as there is something new.
    func show(_ line: ProgressLine) {
        state.withLock { state in
            switch style {
            case .none: break
            case .lines: showLine(line, &state)
            case .bar:
                let now = ContinuousClock.now
                if let painted = state.painted, now - painted < ProgressView.interval,
                    state.title == line.title, line.share < 1
                {
                    return
                }
                state.painted = now
                state.title = line.title
                write(state.painter.paint([line.text(width: ProgressView.columns)]))
            }
        }
    }

    /// Writes a line that stays.
    func note(_ text: String) {
        state.withLock { state in write(state.painter.clear() + text + "\n") }
    }

    /// Takes the bar away.
    func clear() {
        state.withLock { state in
            let text = state.painter.clear()
            if !text.isEmpty { write(text) }
        }
    }

    /// The first line of something, then one for each quarter.
    private func showLine(_ line: ProgressLine, _ state: inout State) {
        let quarter = line.share.isFinite ? Int(line.share * ProgressView.quarters) : 0
        let isNew = state.title != line.title
        guard isNew || quarter > state.quarter else { return }
        state.title = line.title
        state.quarter = quarter
        write(line.text + "\n")
    }

    private static var columns: Int {
        var size = winsize()
        let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1
        // Of the last column some terminals make a line of its own.
        return isKnown ? Int(size.ws_col) - 1 : 79
    }

    private func write(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}
