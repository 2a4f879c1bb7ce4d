import Foundation

extension Double {
    /// The number to three significant digits, for people: `0.0421`, `1.93`, `41,230`.
    var short: String {
        guard isFinite else { return "-" }
        let size = magnitude
        switch size {
        case 0: return "0"
        case ..<1: return String(format: "%.3g", self)
        case ..<10: return String(format: "%.2f", self)
        case ..<100: return String(format: "%.1f", self)
        default: return Int(rounded()).grouped
        }
    }

    /// A number of bytes, for people.
    var byteText: String {
        var (value, unit) = (self, 0)
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return "\(value.short) \(units[unit])"
    }
}

extension Int {
    /// The number with commas between thousands.
    var grouped: String {
        let digits = Array(String(magnitude))
        var text = self < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return text
    }
}

/// A row of bars that shows how a figure went.
public enum Sparkline {
    private static let bars = Array("▁▂▃▄▅▆▇█")

    /// The last so many figures as bars, the highest of them as a full one.
    public static func text(_ values: [Double], count: Int = 60) -> String {
        let shown = values.suffix(count)
        guard let top = shown.max(), top > 0 else {
            return String(repeating: String(bars[0]), count: shown.count)
        }
        return String(
            shown.map { value in
                let height = (max(0, value) / top * Double(bars.count - 1)).rounded()
                return bars[min(bars.count - 1, Int(height))]
            })
    }
}
