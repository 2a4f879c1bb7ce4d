import Foundation
import SwiftASN1
import X509

/// Why a certificate is revoked; RFC 5280, section 5.3.1.
public enum RevocationReason: String, Sendable, CaseIterable {
    /// Nothing is said.
    case unspecified
    /// Somebody else has, or may have, the private key.
    case keyCompromise = "key-compromise"
    /// The owner belongs elsewhere now.
    case affiliationChanged = "affiliation-changed"
    /// Another certificate takes its place.
    case superseded
    /// It is not needed any more.
    case cessationOfOperation = "cessation-of-operation"
    /// The owner may not do any more what the certificate says.
    case privilegeWithdrawn = "privilege-withdrawn"

    /// The number by which lists know it.
    var code: UInt8 {
        switch self {
        case .unspecified: 0
        case .keyCompromise: 1
        case .affiliationChanged: 3
        case .superseded: 4
        case .cessationOfOperation: 5
        case .privilegeWithdrawn: 9
        }
    }
}

/// Certificates that are not to be trusted though they are signed and not expired: the certificate
/// revocation list of RFC 5280, section 5.
///
/// Entries are never dropped; a small authority revokes few.
struct RevocationList: Sendable, Equatable {
    /// A certificate that is revoked.
    struct Entry: Sendable, Equatable {
        let serial: Certificate.SerialNumber
        let date: Date
        let reason: RevocationReason
    }

    /// The days after which a list may have to be renewed.
    static let days = 1...365

    /// The number of this list, which grows from each to the next.
    private(set) var number: Int
    /// When it was made.
    private(set) var thisUpdate: Date
    /// When those who check certificates want a newer one.
    private(set) var nextUpdate: Date
    private(set) var entries: [Entry]

    /// Creates a list.
    init(number: Int = 0, thisUpdate: Date, nextUpdate: Date, entries: [Entry] = []) {
        self.number = number
        self.thisUpdate = thisUpdate
        self.nextUpdate = nextUpdate
        self.entries = entries
    }

    /// The entry of a serial number, if it is revoked.
    func entry(of serial: Certificate.SerialNumber) -> Entry? {
        entries.first { $0.serial == serial }
    }

    /// Adds a certificate that is not in the list yet.
    mutating func revoke(
        _ serial: Certificate.SerialNumber, reason: RevocationReason, now: Date
    ) {
        guard entry(of: serial) == nil else { return }
        entries.append(Entry(serial: serial, date: now.wholeSeconds, reason: reason))
    }

    /// Makes it a list of now, good for so many days.
    ///
    /// The number is that of seconds since 1970, so that it grows even if the file was lost.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for days out of range.
    mutating func renew(days: Int, now: Date) throws {
        try CertificateProfile.check(days: days, in: RevocationList.days)
        let seconds = Int(exactly: now.timeIntervalSince1970.rounded(.down)) ?? 0
        number = max(number == .max ? number : number + 1, seconds)
        thisUpdate = now.wholeSeconds.addingTimeInterval(-clockAllowance)
        nextUpdate = thisUpdate.addingTimeInterval(Double(days) * secondsOfADay)
    }
}
