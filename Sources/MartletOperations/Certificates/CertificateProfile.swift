import MartletCore
import X509

/// What a certificate is to say of its owner, checked.
public struct CertificateProfile: Sendable, Equatable {
    /// The days that servers' and clients' certificates may be valid for; systems such as macOS
    /// take no longer ones of servers.
    public static let daysOfOwners = 1...825
    /// The days that an authority may be valid for.
    public static let daysOfAuthorities = 1...7300
    /// Most names of a certificate.
    public static let namesMax = 100

    /// What a certificate is used for.
    enum Usage: Sendable, Equatable {
        /// Servers, which are clients too where they connect to each other.
        case serverAndClient
        case client
    }

    /// The common name of its subject.
    let commonName: String
    /// By which names others know its owner.
    let names: [SubjectName]
    let usage: Usage
    /// How long it is valid.
    let days: Int
    /// The curve of its key.
    let curve: KeyCurve
    /// What its files are called unless somebody says otherwise; empty where nothing can be made
    /// of its names.
    let fileName: String

    /// A node or a gateway, which shows the certificate to those who connect to it, and to those
    /// it connects to.
    ///
    /// - Parameters:
    ///   - hosts: the names and addresses by which it is reached.
    ///   - days: how long the certificate is valid.
    ///   - curve: the curve of its key.
    /// - Returns: the profile.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that says what is wrong and the remedy.
    public static func node(hosts: [String], days: Int, curve: KeyCurve) throws -> Self {
        let names = try distinct(hosts.map(SubjectName.host))
        guard let first = names.first?.value else {
            throw ServingError.invalidArgument(
                "A server's certificate needs a host: name one with --host, as its clients are "
                    + "told it")
        }
        try check(days: days, in: daysOfOwners)
        return CertificateProfile(
            // Longer names have no place in a subject, and nobody looks for them there.
            commonName: first.count <= commonNameMax ? first : "martlet node",
            names: names, usage: .serverAndClient, days: days, curve: curve,
            fileName: plain(first.replacing("*.", with: "wildcard.")))
    }

    /// A client, which shows the certificate to say who it is.
    ///
    /// - Parameters:
    ///   - name: a name for people.
    ///   - tenant: whose requests it sends; `name` where nothing else is said of who it is.
    ///   - dnsNames: DNS names by which it is known.
    ///   - emailAddresses: mail addresses by which it is known.
    ///   - days: how long the certificate is valid.
    ///   - curve: the curve of its key.
    /// - Returns: the profile.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that says what is wrong and the remedy.
    public static func client(
        name: String, tenant: String?, dnsNames: [String] = [], emailAddresses: [String] = [],
        days: Int, curve: KeyCurve
    ) throws -> Self {
        try check(commonName: name)
        try check(days: days, in: daysOfOwners)
        var names: [SubjectName] = []
        if let tenant {
            names.append(try .tenant(tenant))
        } else if dnsNames.isEmpty, emailAddresses.isEmpty {
            guard let own = try? SubjectName.tenant(name) else {
                throw ServingError.invalidArgument(
                    "'\(printable(name))' cannot be a tenant as it is: name one with --tenant, of "
                        + "letters, digits, '.', '-' and '_'")
            }
            names.append(own)
        }
        names += try dnsNames.map { .dns(try SubjectName.dnsName($0)) }
        names += try emailAddresses.map(SubjectName.email)
        return CertificateProfile(
            commonName: name, names: try distinct(names), usage: .client, days: days, curve: curve,
            fileName: plain(name))
    }

    // MARK: Checks

    /// Most characters of a common name: `ub-common-name` of RFC 5280, appendix A.1.
    private static let commonNameMax = 64

    /// Refuses names that are no names, or would steer a terminal.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    static func check(commonName name: String) throws {
        func refusal(_ reason: String) -> ServingError {
            .invalidArgument("'\(printable(name))' cannot be a name: \(reason)")
        }
        guard let first = name.first, let last = name.last else {
            throw ServingError.invalidArgument("The name is empty: give one such as alice")
        }
        guard printable(name) == name else {
            throw refusal("it holds a character that cannot be seen; leave it out")
        }
        guard !first.isWhitespace, !last.isWhitespace else {
            throw refusal("leave out the space at its beginning or end")
        }
        guard name.unicodeScalars.count <= commonNameMax else {
            throw refusal("use up to \(commonNameMax) characters")
        }
    }

    /// Refuses lengths of time that certificates should not have.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    static func check(days: Int, in range: ClosedRange<Int>) throws {
        guard range.contains(days) else {
            throw ServingError.invalidArgument(
                "--days is \(days); use \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private static func distinct(_ names: [SubjectName]) throws -> [SubjectName] {
        guard names.count <= namesMax else {
            throw ServingError.invalidArgument(
                "There are \(names.count) names; a certificate may have up to \(namesMax)")
        }
        var seen: Set<SubjectName> = []
        return names.filter { seen.insert($0).inserted }
    }

    /// A file name made of a name: other characters become `-`, and it begins with none of `.-`.
    private static func plain(_ name: String) -> String {
        let replaced = name.map { SubjectName.isPlain(String($0)) ? String($0) : "-" }.joined()
        guard replaced.contains(where: { $0 != "-" && $0 != "." }) else { return "" }
        return String(replaced.drop { $0 == "-" || $0 == "." }.prefix(100))
    }
}
