import Foundation
import SwiftASN1

/// The time from a date to another, in whole days, rounded down: negative when it has passed.
func wholeDays(from now: Date, to date: Date) -> Int {
    let days = (date.timeIntervalSince(now) / secondsOfADay).rounded(.down)
    return Int(exactly: days) ?? (days < 0 ? .min : .max)
}

let secondsOfADay = 86_400.0

/// How far dates of issue lie in the past, in seconds, for machines whose clocks are behind.
let clockAllowance = 300.0

extension Date {
    /// The date without fractions of a second, which certificates do not have.
    var wholeSeconds: Date {
        Date(timeIntervalSince1970: timeIntervalSince1970.rounded(.down))
    }

    /// The date and time as of ISO 8601, in UTC.
    var timestamp: String { formatted(.iso8601) }

    /// The date alone as of ISO 8601, in UTC.
    var day: String { formatted(.iso8601.year().month().day()) }

    /// The date in years, months and so on of UTC.
    private var parts: DateComponents {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: self)
    }

    /// Writes the `Time` of RFC 5280: two digits of the year until 2049, four from 2050.
    ///
    /// - Throws: `ASN1Error` for years that have no four digits.
    func serialize(into coder: inout DER.Serializer) throws {
        let parts = self.parts
        let (year, month, day) = (parts.year ?? 0, parts.month ?? 0, parts.day ?? 0)
        let (hours, minutes, seconds) = (parts.hour ?? 0, parts.minute ?? 0, parts.second ?? 0)
        if (1950...2049).contains(year) {
            try coder.serialize(
                UTCTime(
                    year: year, month: month, day: day, hours: hours, minutes: minutes,
                    seconds: seconds))
        } else {
            try coder.serialize(
                GeneralizedTime(
                    year: year, month: month, day: day, hours: hours, minutes: minutes,
                    seconds: seconds, fractionalSeconds: 0))
        }
    }
}
