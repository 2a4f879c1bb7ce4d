import Foundation
import MartletCore
import SwiftASN1
import X509

/// The certificates that lists of the clients' authorities revoke.
struct RevokedCertificates: Sendable {
    private let serials: [DistinguishedName: Set<Certificate.SerialNumber>]

    /// When the first of the lists is to be renewed; nil if none says so.
    let renewal: Date?

    /// What is odd about the lists without making them useless.
    let warnings: [String]

    /// Reads lists.
    ///
    /// - Parameters:
    ///   - source: one list or more; what two of one authority revoke is revoked.
    ///   - authorities: those that sign clients' certificates, each of which should have a list.
    /// - Throws: `ServingError` that names the file and what is wrong with it: a list that is
    ///   broken, or that none of the authorities signed.
    init(_ source: PEMSource, authorities: [Certificate]) throws {
        let lists = try RevokedCertificates.lists(source)
        for list in lists where !authorities.contains(where: list.isSigned(by:)) {
            throw ServingError.invalidArgument(
                "The revocation file \(source) holds a list of '\(list.issuer)' that none of the "
                    + "clients' authorities signed")
        }
        serials = Dictionary(grouping: lists, by: \.issuer).mapValues { lists in
            Set(lists.flatMap { $0.entries.map(\.serial) })
        }
        renewal = lists.compactMap(\.nextUpdate).min()
        let issuers = serials
        warnings = authorities.map(\.subject).filter { issuers[$0] == nil }.map { authority in
            "The revocation file \(source) holds no list of '\(authority)', whose certificates "
                + "are good until they expire"
        }
    }

    /// Whether a certificate is revoked.
    func contains(_ certificate: Certificate) -> Bool {
        serials[certificate.issuer]?.contains(certificate.serialNumber) ?? false
    }

    private static func lists(_ source: PEMSource) throws -> [SignedRevocationList] {
        let text = try source.loadLists()
        do {
            let lists = try PEMDocument.parseMultiple(pemString: text)
                .filter { $0.discriminator == SignedRevocationList.discriminator }
                .map { try SignedRevocationList(bytes: $0.derBytes) }
            guard lists.isEmpty else { return lists }
        } catch {
            throw ServingError(
                .invalidArgument,
                "The revocation file \(source) holds a list that is broken, or says what is not "
                    + "known here", cause: error)
        }
        throw ServingError.invalidArgument(
            "The revocation file \(source) is neither DER nor PEM: it has no line "
                + "'-----BEGIN \(SignedRevocationList.discriminator)-----'")
    }
}
