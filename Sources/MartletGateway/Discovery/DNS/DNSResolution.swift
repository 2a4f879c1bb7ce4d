import MartletTransport

/// What one lookup of a pool's endpoints found.
struct DNSFinding: Sendable, Hashable {
    /// The endpoints, at least one; nil if nothing new is known of them.
    let endpoints: EndpointSet?
    /// What is amiss: why there are none, or why some are as they were before.
    let trouble: DNSTrouble?
}

/// The endpoints behind a name, as lookup after lookup tells of them.
///
/// Only an answer takes an endpoint away. Where a lookup is of many questions, what one of them
/// told before stays until it is answered again; where nothing is answered, or nothing is left,
/// there is no new set.
struct DNSResolution: Sendable {
    /// What is asked for.
    enum Record: Sendable, Hashable {
        /// Addresses, all with the same port.
        case addresses(port: Int)
        /// Services, which have ports and weights (RFC 2782): those of the lowest priority that
        /// have addresses.
        case services
    }

    private struct Question: Hashable {
        let name: String
        let way: AddressAnswer.Way
    }

    private let name: String
    private let record: Record
    private var known: [Question: [String]] = [:]

    /// Nothing is known yet.
    init(name: String, record: Record) {
        self.name = name
        self.record = record
    }

    /// Looks the endpoints up.
    ///
    /// - Parameters:
    ///   - resolver: whom to ask.
    ///   - isOver: whether there is no more time for a question; asked before each but the first.
    /// - Returns: what was found.
    mutating func lookUp(by resolver: some NameResolver, isOver: () -> Bool) -> DNSFinding {
        var round = Round(known: known)
        let finding =
            switch record {
            case .addresses(let port): lookUpAddresses(port: port, &round, resolver)
            case .services: lookUpServices(&round, resolver, isOver)
            }
        guard let count = finding.endpoints?.count else { return finding }
        guard count <= EndpointSet.countMax else { return failed(.tooMany) }
        known = round.answers
        return finding
    }

    private func failed(_ failure: DNSFailure) -> DNSFinding {
        DNSFinding(endpoints: nil, trouble: DNSTrouble(name: name, failure: failure))
    }

    private func lookUpAddresses(
        port: Int, _ round: inout Round, _ resolver: some NameResolver
    ) -> DNSFinding {
        let answer = resolver.addresses(of: name)
        let (addresses, failure) = round.take(answer, of: name)
        guard answer.isAnswered, !addresses.isEmpty else { return failed(failure ?? .noRecords) }
        let endpoints = addresses.map {
            DiscoveredEndpoint(address: UpstreamAddress(host: $0, port: port))
        }
        return DNSFinding(
            endpoints: EndpointSet(endpoints),
            trouble: failure.map { DNSTrouble(name: name, failure: $0) })
    }

    private func lookUpServices(
        _ round: inout Round, _ resolver: some NameResolver, _ isOver: () -> Bool
    ) -> DNSFinding {
        let answer: ServiceAnswer
        do throws(DNSFailure) {
            answer = try resolver.services(of: name)
        } catch {
            return failed(error)
        }
        var trouble: DNSTrouble?
        for group in ServiceRecord.groups(of: answer.records) {
            var addresses: [String: [String]] = [:]
            for target in group.map(\.target) where addresses[target] == nil {
                let found = answer.addresses(of: target, resolver, isOver)
                let (hosts, failure) = round.take(found, of: target)
                addresses[target] = hosts
                if trouble == nil, let failure { trouble = .init(name: target, failure: failure) }
            }
            let endpoints = ServiceRecord.endpoints(of: group, addresses: addresses)
            if endpoints.count > 0 { return DNSFinding(endpoints: endpoints, trouble: trouble) }
        }
        return DNSFinding(
            endpoints: nil, trouble: trouble ?? DNSTrouble(name: name, failure: .noRecords))
    }

    /// A lookup under way: what it was told, and what was known before.
    private struct Round {
        let known: [Question: [String]]
        var answers: [Question: [String]] = [:]

        /// Takes an answer in.
        ///
        /// - Returns: the addresses that are now known; and why some may be out of date, or there
        ///   are none.
        mutating func take(
            _ answer: AddressAnswer, of name: String
        ) -> (addresses: [String], failure: DNSFailure?) {
            var addresses: [String] = []
            var loss: DNSFailure?
            var failures: [DNSFailure] = []
            for way in AddressAnswer.Way.allCases {
                guard let result = answer.results[way] else { continue }
                let question = Question(name: name, way: way)
                do throws(DNSFailure) {
                    answers[question] = try result.get()
                } catch {
                    failures.append(error)
                    guard !error.isDefinite, let before = known[question] else { continue }
                    loss = error
                    answers[question] = before
                }
                addresses += answers[question] ?? []
            }
            guard addresses.isEmpty else { return (addresses, loss) }
            guard let failure = failures.first(where: { !$0.isDefinite }) else {
                return ([], failures.first ?? .noRecords)
            }
            // What another way told before, such as along with another answer.
            for way in AddressAnswer.Way.allCases {
                let question = Question(name: name, way: way)
                answers[question] = known[question]
                addresses += known[question] ?? []
            }
            return (addresses, failure)
        }
    }
}

extension AddressAnswer {
    /// Whether any way to ask has told something, be it that there is nothing.
    fileprivate var isAnswered: Bool {
        results.values.contains { result in
            if case .failure(let failure) = result { failure.isDefinite } else { true }
        }
    }
}

extension ServiceAnswer {
    /// The addresses of a target: those that came along, or what the resolver says.
    fileprivate func addresses(
        of target: String, _ resolver: some NameResolver, _ isOver: () -> Bool
    ) -> AddressAnswer {
        if let along = addresses[target], !along.isEmpty {
            return AddressAnswer(results: [.along: .success(along)])
        }
        guard !isOver() else { return AddressAnswer(results: [.system: .failure(.timedOut)]) }
        return resolver.addresses(of: target)
    }
}
