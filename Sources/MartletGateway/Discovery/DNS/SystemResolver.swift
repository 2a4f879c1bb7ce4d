import CResolver
import Foundation

/// A name server that is asked in place of the system's.
struct NameServer: Sendable, Hashable {
    /// An IPv4 or IPv6 address in text.
    let address: String
    /// Its port, over UDP and TCP.
    let port: Int
    /// How long its answer is awaited each time, in seconds.
    var timeoutSeconds = 1
    /// How often it is asked until it answers.
    var attempts = 2

    /// A name server; nil unless the address is one, and not a name.
    init?(address: String, port: Int) {
        guard Self.isAddress(address), (1...65535).contains(port) else { return nil }
        self.address = address
        self.port = port
    }

    /// Whether a text is an IPv4 or IPv6 address.
    static func isAddress(_ text: String) -> Bool {
        var bytes = in6_addr()
        return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
    }
}

/// Resolves names by the C library.
///
/// Addresses are asked for as every program of the machine does (`getaddrinfo`), so `/etc/hosts`,
/// search domains and other sources of `nsswitch.conf` count: names of containers, of Kubernetes
/// and of a machine's own network resolve as their operators know them. Services are in DNS alone;
/// `getaddrinfo` has no word for them, so the name servers of `resolv.conf` are asked.
///
/// With a name server of its own it is asked for all records, and names are taken as full names.
struct SystemResolver: NameResolver {
    /// The name server to ask; nil for what the system uses.
    var server: NameServer?

    func addresses(of name: String) -> AddressAnswer {
        guard server != nil else {
            return AddressAnswer(results: [.system: Self.systemAddresses(of: name)])
        }
        return AddressAnswer(results: [
            .ipv4: records(.ipv4, of: name), .ipv6: records(.ipv6, of: name),
        ])
    }

    func services(of name: String) throws(DNSFailure) -> ServiceAnswer {
        let message = try ask(.service, of: name)
        guard !message.services.isEmpty else { throw .noRecords }
        return ServiceAnswer(records: message.services, addresses: message.others)
    }

    private func records(
        _ type: DNSRecordType, of name: String
    ) -> Result<[String], DNSFailure> {
        Result { () throws(DNSFailure) in
            let addresses = try ask(type, of: name).addresses
            guard !addresses.isEmpty else { throw .noRecords }
            return addresses
        }
    }

    /// Bytes of a message over TCP, at most.
    private static let messageBytes = 65_535

    private func ask(_ type: DNSRecordType, of name: String) throws(DNSFailure) -> DNSMessage {
        var length = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.messageBytes) { buffer, count in
            length = Self.ask(server, type, of: name, into: buffer)
            count = max(0, length)
        }
        switch length {
        case 0...: return try DNSMessage(bytes)
        case martlet_resolver_no_name: throw .notFound
        case martlet_resolver_no_records: throw .noRecords
        case martlet_resolver_no_answer: throw .unavailable
        default: throw .refused
        }
    }

    private static func ask(
        _ server: NameServer?, _ type: DNSRecordType, of name: String,
        into buffer: UnsafeMutableBufferPointer<UInt8>
    ) -> Int {
        guard let server else {
            return martlet_resolver_ask(
                name, CInt(type.rawValue), nil, buffer.baseAddress, buffer.count)
        }
        return server.address.withCString { address in
            var server = martlet_resolver_server(
                address: address, port: UInt16(clamping: server.port),
                timeout_seconds: CInt(clamping: server.timeoutSeconds),
                attempts: CInt(clamping: server.attempts))
            return martlet_resolver_ask(
                name, CInt(type.rawValue), &server, buffer.baseAddress, buffer.count)
        }
    }

    private static func systemAddresses(of name: String) -> Result<[String], DNSFailure> {
        var hints = addrinfo()
        // Each address once; and none of a family that this machine has not.
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let error = getaddrinfo(name, nil, &hints, &list)
        guard error == 0 else { return .failure(failure(error)) }
        defer { freeaddrinfo(list) }
        let addresses = sequence(first: list) { $0?.pointee.ai_next }.prefix { $0 != nil }
            .compactMap { $0.flatMap { numericHost(of: $0.pointee) } }
        return addresses.isEmpty ? .failure(.noRecords) : .success(addresses)
    }

    private static func numericHost(of info: addrinfo) -> String? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let error = getnameinfo(
            info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        guard error == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func failure(_ error: CInt) -> DNSFailure {
        /// What glibc says of names that have addresses of no family asked for.
        let noData: CInt = -5
        switch error {
        case EAI_NONAME: return .notFound
        case noData: return .noRecords
        case EAI_FAIL: return .refused
        default: return .unavailable
        }
    }
}
