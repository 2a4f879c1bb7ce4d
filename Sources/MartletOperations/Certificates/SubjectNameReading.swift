import Foundation
import MartletCore

/// Names as people give them; what is wrong with one is said with what to write instead.
extension SubjectName {
    /// Most characters of a tenant.
    static let tenantCharactersMax = 128

    /// The host of a server: a DNS name or an address.
    ///
    /// - Parameter text: a host as clients are told it, without a port.
    /// - Returns: its name.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) with the remedy.
    static func host(_ text: String) throws -> SubjectName {
        guard !text.isEmpty else {
            throw ServingError.invalidArgument(
                "A host is empty: give a name such as gateway.example, or an address such as "
                    + "10.0.0.7")
        }
        try refuseWhatSurroundsHosts(text)
        if let bytes = address(text) { return try .address(usable(bytes, text: text)) }
        if text.contains(":") {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let hasPort = parts.count == 2 && parts[1].allSatisfy(\.isNumber)
            throw refusal(
                text,
                hasPort
                    ? "a certificate is for a host, not for its ports: write '\(parts[0])'"
                    : "it is no IPv6 address")
        }
        if let last = text.split(separator: ".").last, last.allSatisfy(\.isNumber) {
            throw refusal(
                text,
                "it is no IPv4 address: write four numbers of 0 to 255, without leading zeros, and "
                    + "dots between them")
        }
        return .dns(try dnsName(text))
    }

    /// A DNS name by the rules of RFC 1123, section 2.1, in lower case.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) with the remedy.
    static func dnsName(_ text: String) throws -> String {
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw refusal(text, "write it in ASCII, where its foreign parts begin with 'xn--'")
        }
        guard !text.hasSuffix(".") else { throw refusal(text, "leave the dot at its end out") }
        guard text.utf8.count <= 253 else { throw refusal(text, "a name has up to 253 characters") }
        var labels = text.lowercased().split(separator: ".", omittingEmptySubsequences: false)
        if labels.first == "*" {
            labels.removeFirst()
            guard labels.count > 1 else {
                throw refusal(text, "a star needs two more parts at least, as *.nodes.example")
            }
        }
        for label in labels {
            if let fault = fault(ofLabel: label) { throw refusal(text, fault) }
        }
        return text.lowercased()
    }

    /// A mailbox, as `dot-atom@domain` of RFC 5322, section 3.4.1.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) with the remedy.
    static func email(_ text: String) throws -> SubjectName {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        let atom = "!#$%&'*+-/=?^_`{|}~"
        guard parts.count == 2, (1...64).contains(parts[0].utf8.count),
            parts[0].utf8.allSatisfy({ isAlphanumeric($0) || $0 == 0x2E || atom.utf8.contains($0) }
            ),
            parts[0].split(separator: ".", omittingEmptySubsequences: false)
                .allSatisfy({ !$0.isEmpty }),
            !parts[1].contains("*")
        else {
            throw ServingError.invalidArgument(
                "'\(printable(text))' is no mail address; write one such as alice@example.com")
        }
        return .mailbox("\(parts[0])@\(try dnsName(String(parts[1])))")
    }

    /// The identity of a tenant, in the form of SPIFFE: trust domain `martlet`, path
    /// `/tenant/NAME`; see <https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md>.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) with the remedy.
    static func tenant(_ text: String) throws -> SubjectName {
        guard isPlain(text), text != ".", text != "..", text.utf8.count <= tenantCharactersMax
        else {
            throw ServingError.invalidArgument(
                "'\(printable(text))' cannot be a tenant: use up to \(tenantCharactersMax) "
                    + "letters, digits, '.', '-' and '_'")
        }
        return .uri("spiffe://martlet/tenant/\(text)")
    }

    /// Whether a text consists of letters, digits, `.`, `-` and `_`, and of one at least.
    static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
    }

    // MARK: What is wrong

    /// Refuses hosts with something around them, each with its own remedy.
    private static func refuseWhatSurroundsHosts(_ text: String) throws {
        if text.contains("://") {
            throw refusal(text, "it is an URL: write its host alone")
        }
        if text.contains("/") {
            throw refusal(text, "it is a range or a path: write each host on its own")
        }
        if text.contains("[") || text.contains("]") {
            throw refusal(text, "write the address without brackets and without a port")
        }
        if text.contains("%") {
            throw refusal(text, "certificates know no zones: write the address without '%' and it")
        }
    }

    /// An address that clients can connect to.
    private static func usable(_ bytes: [UInt8], text: String) throws -> [UInt8] {
        guard bytes.contains(where: { $0 != 0 }) else {
            throw refusal(
                text, "servers listen there, and nobody connects to it: write what clients are told"
            )
        }
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        if bytes.starts(with: mapped) {
            throw refusal(
                text,
                "it is an IPv4 address in another form: write "
                    + "'\(SubjectName.address(Array(bytes.suffix(4))).value)'")
        }
        return bytes
    }

    private static func address(_ text: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if !text.utf8.contains(0), inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }

    private static func fault(ofLabel label: Substring) -> String? {
        if label.isEmpty { return "a part between its dots is empty" }
        if label.utf8.count > 63 { return "its part '\(label)' has more than 63 characters" }
        if label.contains("*") {
            return "a star stands for the whole first part, as in *.nodes.example"
        }
        if let other = label.unicodeScalars.first(where: { !isLabelCharacter($0) }) {
            let shown = printable(String(Character(other)))
            return "it holds '\(shown)': its parts are of letters, digits and inner '-'"
        }
        if label.hasPrefix("-") || label.hasSuffix("-") {
            return "its part '\(label)' begins or ends with '-'"
        }
        return nil
    }

    private static func isLabelCharacter(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "-" || UInt8(exactly: scalar.value).map(isAlphanumeric) == true
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private static func refusal(_ text: String, _ reason: String) -> ServingError {
        .invalidArgument("'\(printable(text))' cannot be a host: \(reason)")
    }
}
