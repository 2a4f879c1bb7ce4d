/// Why DNS told nothing of a name.
enum DNSFailure: Error, Sendable, Hashable {
    /// There is no answer yet, and no more time to wait for one.
    case timedOut
    /// No name server answered, or none could: the next time may be better.
    case unavailable
    /// A name server refused to answer.
    case refused
    /// There is no such name.
    case notFound
    /// The name has none of the records that are asked for.
    case noRecords
    /// The answer cannot be understood.
    case malformed
    /// There are more endpoints than are taken.
    case tooMany

    /// Whether it tells that there is nothing, rather than that nobody can say.
    var isDefinite: Bool { self == .notFound || self == .noRecords }

    /// The failure in words, as the end of a sentence about a name.
    var text: String {
        switch self {
        case .timedOut: "its lookup takes too long"
        case .unavailable: "no name server could answer"
        case .refused: "the name server refuses to answer"
        case .notFound: "there is no such name"
        case .noRecords: "it has no such records"
        case .malformed: "the name server's answer cannot be understood"
        case .tooMany: "it has more than \(EndpointSet.countMax) endpoints"
        }
    }
}

/// What is amiss with the lookup of a name.
struct DNSTrouble: Error, Sendable, Hashable {
    /// The name that was asked for: the service's, or that of one of its targets.
    let name: String
    /// Why nothing is known of it.
    let failure: DNSFailure
}
