/// A moment as people write it: `2027-01-31`, `2027-01-31T18:00:00Z` or `...+02:00` (RFC 3339).
///
/// A day alone means its beginning in UTC; years begin with 1970. The value is the time since 1970
/// began, in UTC, without leap seconds, as system clocks have it.
struct Timestamp: Sendable, Hashable {
    /// The time since the beginning of 1970.
    let sinceEpoch: Duration

    /// A moment by the time since 1970 began.
    init(sinceEpoch: Duration) {
        self.sinceEpoch = sinceEpoch
    }

    /// Reads a moment; nil if it is none, or there is no such day or time.
    init?(_ text: String) {
        var reader = TimestampReader(rest: Array(text.utf8)[...])
        guard let year = reader.number(4), year >= 1970, reader.skip("-"),
            let month = reader.number(2), (1...12).contains(month), reader.skip("-"),
            let day = reader.number(2), (1...Timestamp.days(of: month, in: year)).contains(day)
        else { return nil }
        var seconds = Timestamp.days(until: (year, month, day)) * 86_400
        if !reader.isAtEnd {
            guard let time = reader.time() else { return nil }
            seconds += time
        }
        guard reader.isAtEnd else { return nil }
        sinceEpoch = .seconds(seconds)
    }

    /// The day, as it is written.
    var day: String {
        let days = max(0, Int(sinceEpoch.components.seconds / 86_400))
        let (year, month, day) = Timestamp.date(ofDay: days)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    private static func days(of month: Int, in year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from the beginning of 1970 until a date in the Gregorian calendar, counted with years
    /// that begin in March, so that the leap day is a year's last.
    private static func days(until date: (year: Int, month: Int, day: Int)) -> Int {
        let year = date.month > 2 ? date.year : date.year - 1
        let month = (date.month + 9) % 12
        let leapDays = (year / 4) - (year / 100) + (year / 400)
        return 365 * year + leapDays + (153 * month + 2) / 5 + date.day - 1 - 719_468
    }

    /// The date of a day counted from the beginning of 1970.
    private static func date(ofDay days: Int) -> (year: Int, month: Int, day: Int) {
        // The first guess is never too late, and a year too early at most.
        var year = 1970 + days / 366
        while self.days(until: (year + 1, 1, 1)) <= days { year += 1 }
        var rest = days - self.days(until: (year, 1, 1))
        var month = 1
        while month < 12, rest >= self.days(of: month, in: year) {
            rest -= self.days(of: month, in: year)
            month += 1
        }
        return (year, month, rest + 1)
    }
}

/// What is still to be read of a moment.
private struct TimestampReader {
    var rest: ArraySlice<UInt8>

    var isAtEnd: Bool { rest.isEmpty }

    /// A number of exactly so many digits.
    mutating func number(_ digits: Int) -> Int? {
        let text = rest.prefix(digits)
        guard text.count == digits, text.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        rest = rest.dropFirst(digits)
        return text.reduce(0) { $0 * 10 + Int($1) - 0x30 }
    }

    /// Skips one of these characters.
    mutating func skip(_ characters: String) -> Bool {
        guard let byte = rest.first, characters.utf8.contains(byte) else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// The seconds of `T18:00:00Z` since midnight in UTC.
    mutating func time() -> Int? {
        guard skip("Tt "), let hour = number(2), hour < 24, skip(":"), let minute = number(2),
            minute < 60, skip(":"), let second = number(2), second < 60
        else { return nil }
        let seconds = hour * 3600 + minute * 60 + second
        if skip("Zz") { return seconds }
        let isAhead = rest.first == UInt8(ascii: "+")
        guard skip("+-"), let hours = number(2), hours < 24, skip(":"), let minutes = number(2),
            minutes < 60
        else { return nil }
        let offset = hours * 3600 + minutes * 60
        return isAhead ? seconds - offset : seconds + offset
    }
}
