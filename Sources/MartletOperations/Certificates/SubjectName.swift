import Foundation
import MartletCore
import SwiftASN1
import X509

/// A name in a certificate by which others know its owner: a subject alternative name, RFC 5280,
/// section 4.2.1.6.
enum SubjectName: Sendable, Hashable, CustomStringConvertible {
    /// A host's name, in lower case and ASCII; its first label may be a star.
    case dns(String)
    /// The 4 bytes of an IPv4 address or the 16 of an IPv6 address.
    case address([UInt8])
    /// An identity such as `spiffe://martlet/tenant/team-a`.
    case uri(String)
    /// A mailbox.
    case mailbox(String)

    /// The name as openssl writes it, such as `DNS:gateway.example`.
    var description: String {
        switch self {
        case .dns(let name): "DNS:\(name)"
        case .address(let bytes): "IP:\(SubjectName.text(ofAddress: bytes))"
        case .uri(let uri): "URI:\(uri)"
        case .mailbox(let address): "email:\(address)"
        }
    }

    /// The name without its kind.
    var value: String {
        switch self {
        case .dns(let text), .uri(let text), .mailbox(let text): text
        case .address(let bytes): SubjectName.text(ofAddress: bytes)
        }
    }

    /// The name as certificates hold it.
    var generalName: GeneralName {
        switch self {
        case .dns(let name): .dnsName(name)
        case .address(let bytes): .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
        case .uri(let uri): .uniformResourceIdentifier(uri)
        case .mailbox(let address): .rfc822Name(address)
        }
    }

    /// How a name of any certificate is shown.
    static func text(of name: GeneralName) -> String {
        switch name {
        case .dnsName(let text): SubjectName.dns(text).description
        case .ipAddress(let bytes): SubjectName.address(Array(bytes.bytes)).description
        case .uniformResourceIdentifier(let text): SubjectName.uri(text).description
        case .rfc822Name(let text): SubjectName.mailbox(text).description
        case .directoryName(let name): "name:\(name)"
        default: "\(name)"
        }
    }

    /// An address as people write it; bytes of a length that no address has in hexadecimal.
    private static func text(ofAddress bytes: [UInt8]) -> String {
        guard bytes.count == 4 || bytes.count == 16 else { return hexadecimal(bytes) }
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else {
            return hexadecimal(bytes)
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// Bytes as two hexadecimal digits each.
func hexadecimal(_ bytes: some Sequence<UInt8>, separator: String = "") -> String {
    let digits = Array("0123456789abcdef")
    return bytes.map { String([digits[Int($0 >> 4)], digits[Int($0 & 0xF)]]) }
        .joined(separator: separator)
}
