internal import Foundation
import MartletTransport

extension HeaderFields: RouteFields {}

extension CertificateIdentity {
    init(_ name: ClientName) {
        self =
            switch name {
            case .uri(let uri): .uri(uri)
            case .dns(let name): .dns(name)
            case .email(let address): .email(address)
            }
    }
}

extension TrafficPolicy.Priority {
    var priority: RequestPriority {
        switch self {
        case .critical: .critical
        case .high: .high
        case .normal: .normal
        case .low: .low
        }
    }
}

extension Duration {
    /// The wall clock, as the time since 1970.
    static var sinceUnixEpoch: Duration { .seconds(Date().timeIntervalSince1970) }
}

extension String {
    /// Whether the text begins with `prefix`, which is ASCII, in upper or lower case.
    func hasPrefixIgnoringCase(_ prefix: StaticString) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard utf8.count >= count else { return false }
        return utf8.prefix(count).enumerated().allSatisfy { index, byte in
            let own = prefix.utf8Start[index]
            return byte == own || (byte | 0x20 == own | 0x20 && (0x61...0x7A).contains(own | 0x20))
        }
    }

    /// Whether the text is `other`, which is ASCII, in upper or lower case.
    func equalsIgnoringCase(_ other: StaticString) -> Bool {
        utf8.count == other.utf8CodeUnitCount && hasPrefixIgnoringCase(other)
    }
}
