import Foundation
import MartletCore
import SwiftASN1
import X509

/// A list as it was signed: `CertificateList` of RFC 5280, section 5.1, version 2.
struct SignedRevocationList: Sendable {
    let list: RevocationList
    /// Who signed it.
    let issuer: DistinguishedName
    /// The bytes of the whole.
    let bytes: [UInt8]
    /// The bytes that are signed.
    private let signedBytes: ArraySlice<UInt8>
    private let algorithm: ASN1ObjectIdentifier
    private let signature: ArraySlice<UInt8>

    /// The word in the first line of its file.
    static let discriminator = "X509 CRL"

    /// The list in PEM's format.
    var pem: String {
        PEMDocument(type: SignedRevocationList.discriminator, derBytes: bytes).pemString + "\n"
    }

    /// Whether an authority signed it.
    func isSigned(by authority: CertificateAuthority) -> Bool {
        issuer == authority.certificate.subject && algorithm == authority.key.signatureIdentifier
            && authority.key.signed(signedBytes, signature: signature)
    }

    /// Signs a list.
    ///
    /// - Throws: what the encoder or the key throws.
    init(_ list: RevocationList, authority: CertificateAuthority) throws {
        var content = DER.Serializer()
        try list.serialize(into: &content, authority: authority)
        let signature = try authority.key.signature(of: content.serializedBytes)
        var coder = DER.Serializer()
        try coder.appendConstructedNode(identifier: .sequence) { coder in
            coder.serializeRawBytes(content.serializedBytes)
            try coder.serializeAlgorithm(authority.key.signatureIdentifier)
            try coder.serialize(ASN1BitString(bytes: signature[...]))
        }
        try self.init(bytes: coder.serializedBytes)
    }

    /// Reads a list, without asking who signed it.
    ///
    /// - Throws: `ASN1Error` for what is no such list, or says what this program does not know.
    init(bytes: [UInt8]) throws {
        let (content, algorithm, signature) = try DER.sequence(
            DER.parse(bytes), identifier: .sequence
        ) { nodes in
            let content = try nodes.required()
            let algorithm = try ASN1ObjectIdentifier(algorithmOf: nodes.required())
            return (content, algorithm, try ASN1BitString(derEncoded: nodes.required()))
        }
        guard signature.paddingBits == 0 else {
            throw ASN1Error.invalidASN1Object(reason: "The signature is not whole bytes")
        }
        (list, issuer) = try RevocationList.read(content, algorithm: algorithm)
        self.bytes = bytes
        self.signedBytes = content.encodedBytes
        self.algorithm = algorithm
        self.signature = signature.bytes
    }
}

extension ASN1ObjectIdentifier {
    /// The number of a list; RFC 5280, section 5.2.3.
    fileprivate static let listNumber: ASN1ObjectIdentifier = [2, 5, 29, 20]
    /// The reason of an entry; RFC 5280, section 5.3.1.
    fileprivate static let reasonCode: ASN1ObjectIdentifier = [2, 5, 29, 21]

    /// The identifier of an algorithm; its parameters do not count.
    fileprivate init(algorithmOf node: ASN1Node) throws {
        self = try DER.sequence(node, identifier: .sequence) { nodes in
            let identifier = try ASN1ObjectIdentifier(derEncoded: nodes.required())
            while nodes.next() != nil {}
            return identifier
        }
    }
}

extension ASN1NodeCollection.Iterator {
    /// The next node, which has to be there.
    fileprivate mutating func required() throws -> ASN1Node {
        guard let node = next() else {
            throw ASN1Error.invalidASN1Object(reason: "A part of the list is missing")
        }
        return node
    }

    /// The next node if it is of a kind.
    fileprivate mutating func optional(_ identifier: ASN1Identifier) -> ASN1Node? {
        var ahead = self
        guard let node = ahead.next(), node.identifier == identifier else { return nil }
        self = ahead
        return node
    }
}

extension DER.Serializer {
    /// Writes the identifier of an algorithm without parameters.
    fileprivate mutating func serializeAlgorithm(_ identifier: ASN1ObjectIdentifier) throws {
        try appendConstructedNode(identifier: .sequence) { try $0.serialize(identifier) }
    }
}

// MARK: - Content

extension RevocationList {
    /// Version 2 is written as 1.
    private static let version = 1

    /// Writes the `TBSCertList`, the part that is signed.
    fileprivate func serialize(
        into coder: inout DER.Serializer, authority: CertificateAuthority
    ) throws {
        try coder.appendConstructedNode(identifier: .sequence) { coder in
            try coder.serialize(RevocationList.version)
            try coder.serializeAlgorithm(authority.key.signatureIdentifier)
            try coder.serialize(authority.certificate.subject)
            try thisUpdate.serialize(into: &coder)
            try nextUpdate.serialize(into: &coder)
            // An empty sequence is not allowed here.
            if !entries.isEmpty {
                try coder.appendConstructedNode(identifier: .sequence) { coder in
                    for entry in entries { try entry.serialize(into: &coder) }
                }
            }
            var number = DER.Serializer()
            try number.serialize(self.number)
            let extensions = [
                try Certificate.Extension(authority.authorityKeyIdentifier, critical: false),
                Certificate.Extension(
                    oid: .listNumber, critical: false, value: number.serializedBytes[...]),
            ]
            try coder.serialize(explicitlyTaggedWithTagNumber: 0, tagClass: .contextSpecific) {
                try $0.serializeSequenceOf(extensions)
            }
        }
    }

    /// Reads a `TBSCertList`.
    fileprivate static func read(
        _ node: ASN1Node, algorithm: ASN1ObjectIdentifier
    ) throws -> (RevocationList, DistinguishedName) {
        try DER.sequence(node, identifier: .sequence) { nodes in
            guard try Int(derEncoded: nodes.required()) == version,
                try ASN1ObjectIdentifier(algorithmOf: nodes.required()) == algorithm
            else {
                throw ASN1Error.invalidASN1Object(reason: "The list is not of version 2")
            }
            let issuer = try DistinguishedName(derEncoded: nodes.required())
            let thisUpdate = try Date(derEncoded: nodes.required())
            let nextUpdate = try Date(derEncoded: nodes.required())
            let entries = try nodes.optional(.sequence).map(Entry.readAll) ?? []
            let extensions =
                try DER.optionalExplicitlyTagged(
                    &nodes, tagNumber: 0, tagClass: .contextSpecific, knownExtensions) ?? []
            let number = try extensions.first { $0.oid == .listNumber }
                .map { try Int(derEncoded: $0.value) }
            let list = RevocationList(
                number: number ?? 0, thisUpdate: thisUpdate, nextUpdate: nextUpdate,
                entries: entries)
            return (list, issuer)
        }
    }

    /// Reads extensions, none of which may be one that changes what the list means.
    fileprivate static func knownExtensions(_ node: ASN1Node) throws -> [Certificate.Extension] {
        let extensions = try DER.sequence(
            of: Certificate.Extension.self, identifier: .sequence, rootNode: node)
        if let critical = extensions.first(where: \.critical) {
            throw ASN1Error.invalidASN1Object(reason: "Extension \(critical.oid) is not known")
        }
        return extensions
    }
}

extension RevocationList.Entry {
    fileprivate func serialize(into coder: inout DER.Serializer) throws {
        try coder.appendConstructedNode(identifier: .sequence) { coder in
            try coder.serialize(serial.bytes)
            try date.serialize(into: &coder)
            // RFC 5280 wants nothing rather than "unspecified".
            guard reason != .unspecified else { return }
            let code: [UInt8] = [0x0A, 0x01, reason.code]
            try coder.serializeSequenceOf([
                Certificate.Extension(oid: .reasonCode, critical: false, value: code[...])
            ])
        }
    }

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
            let date = try Date(derEncoded: nodes.required())
            let extensions =
                try nodes.optional(.sequence).map(RevocationList.knownExtensions) ?? []
            // Reasons that are not known here are as good as none: the serial number counts.
            let code = extensions.first { $0.oid == .reasonCode }?.value.last
            return Self(
                serial: Certificate.SerialNumber(bytes: serial), date: date,
                reason: RevocationReason.allCases.first { $0.code == code } ?? .unspecified)
        }
    }
}
