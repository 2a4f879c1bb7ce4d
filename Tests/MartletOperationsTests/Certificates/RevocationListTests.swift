import Foundation
import MartletCore
import MartletTestKit
import MartletTransport
import SwiftASN1
import Testing
import X509

@testable import MartletOperations

@Suite("Revocation list")
struct RevocationListTests {
    private func serial(_ number: Int) -> Certificate.SerialNumber {
        Certificate.SerialNumber(number)
    }

    private func list(_ numbers: [Int] = [], days: Int = 90) throws -> RevocationList {
        var list = RevocationList(thisUpdate: noon, nextUpdate: noon)
        for number in numbers { list.revoke(serial(number), reason: .superseded, now: noon) }
        try list.renew(days: days, now: noon)
        return list
    }

    @Test(arguments: KeyCurve.allCases)
    func list_isReadAsItWasSigned(curve: KeyCurve) throws {
        let authority = try testAuthority(curve: curve)
        let list = try list([300, 7])
        let signed = try SignedRevocationList(list, authority: authority)
        let read = try SignedRevocationList(bytes: signed.bytes)
        #expect(read.list == list)
        #expect(read.issuer == authority.certificate.subject)
        #expect(read.isSigned(by: authority))
        #expect(try PEMDocument(pemString: signed.pem).derBytes == signed.bytes)
    }

    @Test func list_withoutEntries_hasNoEmptySequence() throws {
        let signed = try SignedRevocationList(try list(), authority: try testAuthority())
        #expect(try SignedRevocationList(bytes: signed.bytes).list.entries.isEmpty)
        let sequences = try DER.sequence(DER.parse(signed.bytes), identifier: .sequence) { nodes in
            let content = nodes.next()
            while nodes.next() != nil {}
            guard let content, case .constructed(let parts) = content.content else { return 0 }
            return parts.count { $0.identifier == .sequence }
        }
        // The algorithm and the issuer.
        #expect(sequences == 2)
    }

    @Test func list_ofAnotherAuthority_isNotBelieved() throws {
        let signed = try SignedRevocationList(try list([7]), authority: try testAuthority())
        #expect(try !signed.isSigned(by: testAuthority("Other")))
        #expect(try !signed.isSigned(by: testAuthority(key: 9)))
    }

    @Test func revoking_twice_keepsTheFirstDate() throws {
        var list = try list([7])
        list.revoke(serial(7), reason: .keyCompromise, now: noon.addingTimeInterval(days(3)))
        #expect(list.entries.count == 1)
        #expect(list.entry(of: serial(7))?.date == noon)
        #expect(list.entry(of: serial(7))?.reason == .superseded)
        #expect(list.entry(of: serial(8)) == nil)
    }

    @Test func numbers_growThoughTheClockGoesBackOrTheFileIsLost() throws {
        var list = try list()
        let first = list.number
        #expect(first == 1_795_953_600)
        try list.renew(days: 1, now: noon)
        #expect(list.number == first + 1)
        try list.renew(days: 1, now: noon.addingTimeInterval(-days(5)))
        #expect(list.number == first + 2)
        try list.renew(days: 1, now: noon.addingTimeInterval(days(5)))
        #expect(list.number == first + 5 * 86_400)
        var last = RevocationList(number: .max, thisUpdate: noon, nextUpdate: noon)
        try last.renew(days: 1, now: noon)
        #expect(last.number == .max)
    }

    @Test func list_isGoodForItsDays_fromALittleBefore() throws {
        let list = try list(days: 30)
        #expect(list.thisUpdate == noon.addingTimeInterval(-300))
        #expect(list.nextUpdate == noon.addingTimeInterval(days(30) - 300))
        for wrong in [0, -1, 366] {
            var other = list
            #expect(throws: ServingError.self) { try other.renew(days: wrong, now: noon) }
        }
    }

    @Test func dates_areRightOnBothSidesOf2050() throws {
        let authority = try testAuthority()
        for year in [1950, 1999, 2000, 2024, 2049, 2050, 2100, 9999] {
            for (month, day) in [(1, 1), (2, 28), (3, 1), (12, 31)] {
                let text = String(format: "%04d-%02d-%02dT23:59:59Z", year, month, day)
                let date = try Date(text, strategy: .iso8601)
                let list = RevocationList(thisUpdate: date, nextUpdate: date)
                let signed = try SignedRevocationList(list, authority: authority)
                #expect(signed.list.thisUpdate == date, "\(text)")
                #expect(signed.list.nextUpdate.timestamp == text)
            }
        }
    }

    @Test func lists_withManyEntries_areReadAsTheyWereWritten() throws {
        let authority = try testAuthority()
        for seed in SimulationSeeds.first(20) {
            var generator = SeededGenerator(seed: seed)
            var list = RevocationList(thisUpdate: noon, nextUpdate: noon)
            for _ in 0..<Int.random(in: 0...60, using: &generator) {
                let count = Int.random(in: 1...20, using: &generator)
                let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
                list.revoke(
                    Certificate.SerialNumber(bytes: bytes + [1]),
                    reason: RevocationReason.allCases.randomElement(using: &generator)
                        ?? .superseded,
                    now: noon.addingTimeInterval(Double.random(in: -1e9...1e9, using: &generator)))
            }
            try list.renew(days: Int.random(in: 1...365, using: &generator), now: noon)
            let signed = try SignedRevocationList(list, authority: authority)
            #expect(signed.list == list, "\(SimulationSeeds.replay(seed))")
            #expect(signed.isSigned(by: authority), "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func lists_withAChangedByte_areNeverBelieved() throws {
        let authority = try testAuthority()
        let bytes = try SignedRevocationList(try list([7, 300]), authority: authority).bytes
        for seed in SimulationSeeds.first(2000) {
            var generator = SeededGenerator(seed: seed)
            var changed = bytes
            changed[Int.random(in: 0..<bytes.count, using: &generator)] ^=
                UInt8.random(in: 1...255, using: &generator)
            if Bool.random(using: &generator) {
                changed.removeLast(Int.random(in: 0...20, using: &generator))
            }
            let isBelieved =
                (try? SignedRevocationList(bytes: changed))?.isSigned(by: authority) ?? false
            #expect(!isBelieved, "\(SimulationSeeds.replay(seed))")
        }
    }
}
