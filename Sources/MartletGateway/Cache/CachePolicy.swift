/// Which requests of a route may be answered from the cache, and which answers go into it.
///
/// A route has to opt in: only its owner knows whether its models answer the same each time. Source
/// of the rules on fields: RFC 9111, sections 3 and 5.2. Its rule on `authorization` (section 3.5)
/// is kept by other means: the tenant that the credentials speak for is part of the key, or what
/// nodes are shown where the gateway asks for none.
struct CachePolicy: Sendable, Equatable {
    /// Whether the route has opted in (default no).
    var isEnabled = false
    /// Largest body of a request, which has to be held whole for its digest (default 1 MiB).
    var requestBytesMax = 1 << 20
    /// Largest body of an answer that is kept (default 1 MiB).
    var answerBytesMax = 1 << 20

    /// What matters of a request.
    struct Request: Sendable {
        /// The prediction that it asks for; nil if it asks for something else.
        var call: PredictionCall?
        /// Bytes of its body; nil where that is not known.
        var bodyBytes: Int?
        /// The values of its `cache-control` fields.
        var cacheControl: [String] = []
        /// Whether its body is compressed: what the node reads is then not what came.
        var isEncoded = false
    }

    /// What matters of an answer.
    struct Answer: Sendable {
        /// Whether it is a success: HTTP status 200 over REST, `OK` over gRPC.
        var isOK: Bool
        /// Bytes of its body.
        var bodyBytes: Int
        /// The values of its `cache-control` fields.
        var cacheControl: [String] = []
        /// Whether it sets cookies, which are meant for one client.
        var setsCookie = false
    }

    /// What the cache may do for a request.
    enum Use: Sendable, Equatable {
        /// Nothing.
        case none(Reason)
        /// Answer it, if the answer is younger than `ageMax` where there is such a bound, and keep
        /// what the node answers.
        ///
        /// With an age of zero nothing is young enough, and the answer is still kept for others.
        case full(ageMax: Duration?)
    }

    /// Why the cache does nothing for a request.
    ///
    /// The raw values are for metrics.
    enum Reason: String, Sendable, Hashable, CaseIterable {
        /// The route has not opted in.
        case disabled
        /// It asks for something other than a prediction.
        case noPrediction = "no_prediction"
        /// The client does not want it kept: `cache-control: no-store`.
        case noStore = "no_store"
        /// The body is compressed.
        case encoded
        /// The body is larger than the limit, or of unknown length.
        case tooLarge = "too_large"
    }

    /// What the cache may do for a request; the first reason that applies, in the order of
    /// ``Reason``, is the one given.
    func use(for request: Request) -> Use {
        guard isEnabled else { return .none(.disabled) }
        guard request.call != nil else { return .none(.noPrediction) }
        let control = CacheControl(request.cacheControl)
        guard !control.forbidsStoring else { return .none(.noStore) }
        guard !request.isEncoded else { return .none(.encoded) }
        guard let bytes = request.bodyBytes, bytes <= requestBytesMax else {
            return .none(.tooLarge)
        }
        return .full(ageMax: control.forbidsReuse ? .zero : control.ageMax)
    }

    /// Whether an answer to a request that the cache may be used for is kept.
    func keeps(_ answer: Answer) -> Bool {
        let control = CacheControl(answer.cacheControl)
        return isEnabled && answer.isOK && answer.bodyBytes <= answerBytesMax
            && !control.forbidsStoring && !control.forbidsReuse && control.ageMax != .zero
            && !answer.setsCookie
    }
}
