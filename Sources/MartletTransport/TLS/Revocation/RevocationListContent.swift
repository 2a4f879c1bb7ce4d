import Foundation
import SwiftASN1
import X509

/// The part of a revocation list that is signed: `TBSCertList` of RFC 5280, section 5.1.
struct RevocationListContent {
    let issuer: DistinguishedName
    let number: Int?
    let thisUpdate: Date
    let nextUpdate: Date?
    let entries: [SignedRevocationList.Entry]

    /// Reads it.
    ///
    /// - Parameters:
    ///   - node: the part.
    ///   - algorithm: how the whole says that it is signed, which the part has to repeat.
    /// - Throws: `ASN1Error`.
    init(_ node: ASN1Node, algorithm: ASN1ObjectIdentifier) throws {
        self = try DER.sequence(node, identifier: .sequence) { nodes in
            // Version 1 is not written, version 2 is written as 1.
            let version = try nodes.optional([.integer]).map { try Int(derEncoded: $0) }
            guard version == nil || version == 1,
                try ASN1ObjectIdentifier(algorithmOf: nodes.required()) == algorithm
            else {
                throw ASN1Error.invalidASN1Object(reason: "The list is of an unknown version")
            }
            let issuer = try DistinguishedName(derEncoded: nodes.required())
            let thisUpdate = try Date(timeOf: nodes.required())
            let nextUpdate = try nodes.optional([.utcTime, .generalizedTime])
                .map(Date.init(timeOf:))
            let entries =
                try nodes.optional([.sequence]).map(SignedRevocationList.Entry.readAll) ?? []
            let extensions =
                try DER.optionalExplicitlyTagged(
                    &nodes, tagNumber: 0, tagClass: .contextSpecific,
                    Certificate.Extension.knownOfLists) ?? []
            let number = try extensions.first { $0.oid == .listNumber }
                .map { try RevocationListContent.number($0.value) }
            return RevocationListContent(
                issuer: issuer, number: number, thisUpdate: thisUpdate, nextUpdate: nextUpdate,
                entries: entries)
        }
    }

    private init(
        issuer: DistinguishedName, number: Int?, thisUpdate: Date, nextUpdate: Date?,
        entries: [SignedRevocationList.Entry]
    ) {
        self.issuer = issuer
        self.number = number
        self.thisUpdate = thisUpdate
        self.nextUpdate = nextUpdate
        self.entries = entries
    }

    /// A number of up to 20 bytes, of which this program does not compare the greatest.
    private static func number(_ value: ArraySlice<UInt8>) throws -> Int {
        let bytes = try ArraySlice<UInt8>(derEncoded: Array(value))
        guard bytes.count <= MemoryLayout<Int>.size else { return .max }
        return try Int(derEncoded: Array(value))
    }
}

extension SignedRevocationList.Entry {
    /// Reads `revokedCertificates`.
    fileprivate static func readAll(_ node: ASN1Node) throws -> [Self] {
        try DER.sequence(node, identifier: .sequence) { nodes in
            var entries: [Self] = []
            while let node = nodes.next() { entries.append(try read(node)) }
            return entries
        }
    }

    private static func read(_ node: ASN1Node) throws -> Self {
        try DER.sequence(node, identifier: .sequence) { nodes in
            let serial = try ArraySlice<UInt8>(derEncoded: nodes.required())
            let date = try Date(timeOf: nodes.required())
            let extensions =
                try nodes.optional([.sequence]).map(Certificate.Extension.knownOfLists) ?? []
            return Self(
                serial: Certificate.SerialNumber(bytes: serial), date: date,
                reasonCode: extensions.first { $0.oid == .reasonCode }?.value.last)
        }
    }
}

extension Certificate.Extension {
    /// Reads extensions, none of which may be one that changes what the list means.
    fileprivate static func knownOfLists(_ node: ASN1Node) throws -> [Certificate.Extension] {
        let extensions = try DER.sequence(
            of: Certificate.Extension.self, identifier: .sequence, rootNode: node)
        if let critical = extensions.first(where: \.critical) {
            throw ASN1Error.invalidASN1Object(reason: "Extension \(critical.oid) is not known")
        }
        return extensions
    }
}

extension ASN1ObjectIdentifier {
    /// The number of a list; RFC 5280, section 5.2.3.
    fileprivate static let listNumber: ASN1ObjectIdentifier = [2, 5, 29, 20]
    /// The reason of an entry; RFC 5280, section 5.3.1.
    fileprivate static let reasonCode: ASN1ObjectIdentifier = [2, 5, 29, 21]

    /// The identifier of an algorithm; its parameters do not count.
    init(algorithmOf node: ASN1Node) throws {
        self = try DER.sequence(node, identifier: .sequence) { nodes in
            let identifier = try ASN1ObjectIdentifier(derEncoded: nodes.required())
            while nodes.next() != nil {}
            return identifier
        }
    }
}

extension ASN1NodeCollection.Iterator {
    /// The next node, which has to be there.
    mutating func required() throws -> ASN1Node {
        guard let node = next() else {
            throw ASN1Error.invalidASN1Object(reason: "A part of the list is missing")
        }
        return node
    }

    /// The next node if it is of one of these kinds.
    fileprivate mutating func optional(_ identifiers: [ASN1Identifier]) -> ASN1Node? {
        var ahead = self
        guard let node = ahead.next(), identifiers.contains(node.identifier) else { return nil }
        self = ahead
        return node
    }
}

extension Date {
    /// Reads the `Time` of RFC 5280, section 4.1.2.5.
    ///
    /// - Throws: `ASN1Error` for anything else.
    fileprivate init(timeOf node: ASN1Node) throws {
        var parts = DateComponents()
        if node.identifier == .utcTime {
            let time = try UTCTime(derEncoded: node)
            parts.year = time.year
            (parts.month, parts.day) = (time.month, time.day)
            (parts.hour, parts.minute, parts.second) = (time.hours, time.minutes, time.seconds)
        } else {
            let time = try GeneralizedTime(derEncoded: node)
            parts.year = time.year
            (parts.month, parts.day) = (time.month, time.day)
            (parts.hour, parts.minute, parts.second) = (time.hours, time.minutes, time.seconds)
        }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        guard let date = calendar.date(from: parts) else {
            throw ASN1Error.invalidASN1Object(reason: "There is no such date")
        }
        self = date
    }
}
