import Foundation
import MartletBench
import MartletCore
import Synchronization

/// What is shown on standard error while a load runs.
final class BenchLiveView: Sendable {
    /// A stretch of load that is being shown.
    private struct Shown {
        var title: String
        var plan: BenchPlan
        var collector: LoadCollector
        var start: ContinuousClock.Instant
    }

    private enum State {
        /// Nothing runs yet. Next: showing, over.
        case idle
        /// Next: showing, over.
        case showing(Shown)
        /// Final.
        case over
    }

    private let state = Mutex(State.idle)
    private let hasColor: Bool

    init(hasColor: Bool) {
        self.hasColor = hasColor
    }

    /// Shows a stretch of load from now on.
    func show(_ title: String, _ plan: BenchPlan, _ collector: LoadCollector) {
        let shown = Shown(title: title, plan: plan, collector: collector, start: .now)
        state.withLock { $0 = .showing(shown) }
    }

    /// Shows nothing more.
    func stop() {
        state.withLock { $0 = .over }
    }

    /// Draws five times a second, until it is stopped.
    func paint() async {
        var painter = LivePainter()
        while true {
            switch state.withLock({ $0 }) {
            case .idle: break
            case .showing(let shown): write(painter.paint(lines(shown)))
            case .over:
                write(painter.clear())
                return
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func lines(_ shown: Shown) -> [String] {
        let frame = LiveFrame(
            title: shown.title, elapsed: (ContinuousClock.now - shown.start).seconds,
            whole: Double(shown.plan.warmUp + shown.plan.duration) / 1e9,
            warmUp: Double(shown.plan.warmUp) / 1e9,
            interval: Double(shown.plan.interval) / 1e9)
        return frame.lines(shown.collector.snapshot(), width: columns, hasColor: hasColor)
    }

    private var columns: Int {
        var size = winsize()
        let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return isKnown ? Int(size.ws_col) : 80
    }

    private func write(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}
