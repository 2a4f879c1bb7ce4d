import Foundation

/// A line chart as SVG, for a page that gives it its colours by style classes.
struct Plot {
    /// One line.
    struct Line {
        var name: String
        /// Which of the page's colours, by its number.
        var color: Int
        var points: [(x: Double, y: Double)]
        var isDashed = false
        var hasDots = false
    }

    /// A mark of an axis.
    struct Tick: Equatable {
        var value: Double
        var text: String
    }

    static let width = 720.0
    static let height = 260.0
    private static let left = 64.0
    private static let right = 16.0
    private static let top = 14.0
    private static let bottom = 34.0

    var title: String
    var xName: String
    var yName: String
    var lines: [Line]
    /// Marks of the horizontal axis; `nil` for round numbers.
    var xTicks: [Tick]?
    /// A level that is marked across the chart.
    var level: (value: Double, name: String)?

    /// The chart; empty where there is nothing to show.
    func svg() -> String {
        let all = lines.flatMap(\.points)
        guard all.count > 1, let xLow = all.map(\.x).min(), let xHigh = all.map(\.x).max(),
            xHigh > xLow
        else { return "" }
        let yTop = max(all.map(\.y).max() ?? 0, level?.value ?? 0)
        let yTicks = Plot.ticks(to: yTop > 0 ? yTop : 1)
        let frame = Frame(
            x: xLow...xHigh, y: 0...(yTicks.last?.value ?? 1))
        let marks =
            xTicks?.filter { (xLow...xHigh).contains($0.value) }
            ?? Plot.ticks(to: xHigh).filter { $0.value >= xLow }
        return """
            <figure>
            <figcaption>\(HTML.escaped(title))\(legend)</figcaption>
            <svg viewBox="0 0 \(Int(Plot.width)) \(Int(Plot.height))" role="img" \
            aria-label="\(HTML.escaped(title))">
            \(grid(frame, yTicks, marks))
            \(levelLine(frame))
            \(lines.map { path($0, frame) }.joined(separator: "\n"))
            </svg>
            </figure>
            """
    }

    private var legend: String {
        guard lines.count > 1 else { return "" }
        return lines.map { line in
            "<span class=\"key line\(line.color)\(line.isDashed ? " dashed" : "")\"></span>"
                + "<span class=\"name\">\(HTML.escaped(line.name))</span>"
        }.joined()
    }

    private func grid(_ frame: Frame, _ yTicks: [Tick], _ xTicks: [Tick]) -> String {
        let rows = yTicks.map { tick in
            let y = frame.y(tick.value)
            return """
                <line class="grid" x1="\(Plot.left.svg)" x2="\((Plot.width - Plot.right).svg)" \
                y1="\(y)" y2="\(y)"/>\
                <text class="tick" x="\((Plot.left - 8).svg)" y="\(y)" text-anchor="end" \
                dominant-baseline="middle">\(tick.text)</text>
                """
        }
        let columns = xTicks.map { tick in
            """
            <text class="tick" x="\(frame.x(tick.value))" y="\((Plot.height - 18).svg)" \
            text-anchor="middle">\(tick.text)</text>
            """
        }
        let names = """
            <text class="axis" x="\((Plot.width - Plot.right).svg)" \
            y="\((Plot.height - 3).svg)" text-anchor="end">\(HTML.escaped(xName))</text>\
            <text class="axis" x="4" y="10">\(HTML.escaped(yName))</text>
            """
        return (rows + columns + [names]).joined(separator: "\n")
    }

    private func levelLine(_ frame: Frame) -> String {
        guard let level else { return "" }
        let y = frame.y(level.value)
        return """
            <line class="level" x1="\(Plot.left.svg)" x2="\((Plot.width - Plot.right).svg)" \
            y1="\(y)" y2="\(y)"/>\
            <text class="levelname" x="\((Plot.left + 6).svg)" y="\(y)" dy="-5">\
            \(HTML.escaped(level.name))</text>
            """
    }

    private func path(_ line: Line, _ frame: Frame) -> String {
        let points = line.points.map { "\(frame.x($0.x)),\(frame.y($0.y))" }
        let dots =
            line.hasDots
            ? line.points.map {
                "<circle class=\"dot line\(line.color)\" cx=\"\(frame.x($0.x))\" "
                    + "cy=\"\(frame.y($0.y))\" r=\"3\"/>"
            }.joined() : ""
        return """
            <polyline class="line line\(line.color)\(line.isDashed ? " dashed" : "")" \
            points="\(points.joined(separator: " "))"/>\(dots)
            """
    }

    /// Round numbers from 0 to at least a value, about five of them.
    static func ticks(to top: Double) -> [Tick] {
        let raw = top / 4
        let size = pow(10, floor(log10(raw)))
        let step = [1, 2, 2.5, 5, 10].map { $0 * size }.first { $0 >= raw * 0.999 } ?? raw
        return (0...Int((top / step).rounded(.up))).map { index in
            Tick(value: Double(index) * step, text: (Double(index) * step).tickText)
        }
    }

    /// From figures to places in the picture.
    private struct Frame {
        let x: ClosedRange<Double>
        let y: ClosedRange<Double>

        func x(_ value: Double) -> String {
            let share = (value - x.lowerBound) / (x.upperBound - x.lowerBound)
            return (Plot.left + share * (Plot.width - Plot.left - Plot.right)).svg
        }

        func y(_ value: Double) -> String {
            let share = (value - y.lowerBound) / (y.upperBound - y.lowerBound)
            let room = Plot.height - Plot.top - Plot.bottom
            return (Plot.height - Plot.bottom - share * room).svg
        }
    }
}

extension Double {
    /// A coordinate to a tenth.
    fileprivate var svg: String { String(format: "%.1f", self) }

    /// A round number without needless digits.
    fileprivate var tickText: String {
        if self >= 1000, self == rounded() { return Int(self).grouped }
        return String(format: "%g", self)
    }
}

/// Text in pages.
enum HTML {
    /// Text in which nothing means anything to a browser.
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.append(character)
            }
        }
        return result
    }
}
