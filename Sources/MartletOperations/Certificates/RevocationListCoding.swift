import Foundation
import MartletTransport
import SwiftASN1
import X509

/// Lists as this program's own authorities sign them.
extension SignedRevocationList {
    /// The list in PEM's format.
    var pem: String {
        PEMDocument(type: SignedRevocationList.discriminator, derBytes: bytes).pemString + "\n"
    }

    /// What it says; reasons that are not known here are as good as none.
    var list: RevocationList {
        RevocationList(
            number: number ?? 0, thisUpdate: thisUpdate, nextUpdate: nextUpdate ?? thisUpdate,
            entries: entries.map { entry in
                RevocationList.Entry(
                    serial: entry.serial, date: entry.date,
                    reason: RevocationReason.allCases.first { $0.code == entry.reasonCode }
                        ?? .unspecified)
            })
    }

    /// Whether an authority signed it.
    func isSigned(by authority: CertificateAuthority) -> Bool {
        issuer == authority.certificate.subject && isSigned(by: authority.certificate.publicKey)
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
}

extension ASN1ObjectIdentifier {
    /// The number of a list; RFC 5280, section 5.2.3.
    fileprivate static let listNumber: ASN1ObjectIdentifier = [2, 5, 29, 20]
    /// The reason of an entry; RFC 5280, section 5.3.1.
    fileprivate static let reasonCode: ASN1ObjectIdentifier = [2, 5, 29, 21]
}

extension DER.Serializer {
    /// Writes the identifier of an algorithm without parameters.
    fileprivate mutating func serializeAlgorithm(_ identifier: ASN1ObjectIdentifier) throws {
        try appendConstructedNode(identifier: .sequence) { try $0.serialize(identifier) }
    }
}

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
}
