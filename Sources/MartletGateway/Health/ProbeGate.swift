import MartletCore

/// Which endpoints are probed of those that a balancer wants to hear of: the bounds of probing.
///
/// A value without clock and socket. An endpoint is asked one thing at a time, however long it
/// takes; and one that answers without its load, as a server that is none of ours does, is left
/// alone for a while.
struct ProbeGate: Sendable {
    /// The bounds.
    struct Configuration: Sendable {
        /// Probes under way at once.
        var concurrentMax = 8
        /// Answers without a load, one after the other, before an endpoint is left alone.
        var silencesMax = 3
        /// How long it then is.
        var rest = Duration.seconds(10)
    }

    /// What came of a probe.
    enum Outcome: String, Sendable, CaseIterable {
        /// The endpoint told its load.
        case taken
        /// It answered, and did not tell.
        case silent
        /// It did not answer in time.
        case failed
    }

    private struct Silence: Sendable {
        var count = 0
        var restsUntil: Duration?
    }

    private let configuration: Configuration
    private var underWay: Set<EndpointID> = []
    private var silences: [EndpointID: Silence] = [:]

    init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
    }

    /// Lets as many of the candidates through as may be probed now, each of which is told of by
    /// ``didEnd(_:_:now:)`` in the end.
    mutating func admit(_ candidates: [EndpointID], now: Duration) -> [EndpointID] {
        var admitted: [EndpointID] = []
        for id in candidates where underWay.count < configuration.concurrentMax {
            if let rest = silences[id]?.restsUntil, now < rest { continue }
            if underWay.insert(id).inserted { admitted.append(id) }
        }
        return admitted
    }

    /// A probe is over.
    mutating func didEnd(_ id: EndpointID, _ outcome: Outcome, now: Duration) {
        underWay.remove(id)
        switch outcome {
        case .taken: silences[id] = nil
        case .failed: break
        case .silent:
            var silence = silences[id] ?? Silence()
            silence.count += 1
            if silence.count >= configuration.silencesMax {
                silence.restsUntil = now + configuration.rest
            }
            silences[id] = silence
        }
    }

    /// Forgets endpoints but these.
    mutating func keep(only ids: Set<EndpointID>) {
        silences = silences.filter { ids.contains($0.key) }
    }
}
