/// What a terminal shows while a load runs: a few lines that are drawn over and over.
public struct LiveFrame: Sendable {
    /// What is being done, in words.
    public var title: String

    /// Seconds since it began, warm-up included.
    public var elapsed: Double

    /// Seconds that it takes in all.
    public var whole: Double

    /// Seconds that are not counted at its start.
    public var warmUp: Double

    /// Seconds of an interval.
    public var interval: Double

    /// Creates a frame.
    public init(
        title: String, elapsed: Double, whole: Double, warmUp: Double, interval: Double
    ) {
        self.title = title
        self.elapsed = elapsed
        self.whole = whole
        self.warmUp = warmUp
        self.interval = interval
    }

    /// What is shown.
    ///
    /// - Parameters:
    ///   - snapshot: what has come so far.
    ///   - width: columns of the terminal.
    ///   - hasColor: whether it knows colours.
    /// - Returns: lines without their ends.
    public func lines(
        _ snapshot: LoadCollector.Snapshot, width: Int = 80, hasColor: Bool = false
    ) -> [String] {
        let style = Style(isOn: hasColor)
        let points = snapshot.points
        let total = snapshot.total
        let rate = points.last.map { Double($0.answered) / interval } ?? 0
        let shown = min(elapsed, whole)
        let time = "\(tenths(shown)) / \(tenths(whole)) s"
        let name = String(title.prefix(max(10, width - time.count - 2)))
        let gap = String(repeating: " ", count: max(2, width - name.count - time.count))
        let bars = Sparkline.text(
            points.map { Double($0.answered) }, count: max(10, min(60, width - 22)))
        let failed = total.failed
        return [
            style.bold(name) + gap + style.dim(time),
            style.dim("rate    ") + padded("\(rate.short)/s", 12)
                + (elapsed < warmUp ? style.dim("warming up") : style.cyan(bars)),
            style.dim("latency ") + "p50 "
                + padded("\(total.latency.value(at: 0.5).milliseconds.short) ms", 12) + "p99 "
                + padded("\(total.latency.value(at: 0.99).milliseconds.short) ms", 12) + "max "
                + "\(total.latency.max.milliseconds.short) ms",
            style.dim("failed  ")
                + (failed == 0 ? style.green("0") : style.red(failed.grouped))
                + style.dim(" of \((failed + Int(total.latency.count)).grouped)"),
        ]
    }

    private func tenths(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private struct Style {
        let isOn: Bool

        func bold(_ text: String) -> String { wrap(text, "1") }
        func dim(_ text: String) -> String { wrap(text, "2") }
        func red(_ text: String) -> String { wrap(text, "31") }
        func green(_ text: String) -> String { wrap(text, "32") }
        func cyan(_ text: String) -> String { wrap(text, "36") }

        private func wrap(_ text: String, _ code: String) -> String {
            isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
        }
    }
}
