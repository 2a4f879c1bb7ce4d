import MartletTransport

/// Endpoints that are used only where no healthy one is for a request.
extension EndpointDirectoryState {
    /// One of all that could be used, while those that can be are too few to be believed: one that
    /// serves the model, where that is known.
    mutating func nextPanicked(_ model: String?, excluding closed: Set<EndpointID>) -> EndpointID? {
        guard !panicked.isEmpty else { return nil }
        let open = panicked.filter { !closed.contains($0) }
        let without = lacking(model)
        let serving = open.filter { !without.contains($0) }
        return next(of: serving.isEmpty ? open : serving)
    }

    /// With no endpoint fully ready, one that serves some of its models is better than none: the
    /// model that is asked for, where that is known.
    mutating func nextDegraded(_ model: String?) -> UpstreamAddress? {
        let degraded = endpoints.filter { $0.value.isDegraded && !full.contains($0.key) }.keys
            .sorted()
        let without = lacking(model)
        let serving = degraded.filter { !without.contains($0) }
        guard let id = next(of: serving.isEmpty ? degraded : serving) else { return nextSuspect() }
        return endpoints[id]?.address
    }

    /// An endpoint that is not fully ready, or is ejected, for a model that no usable one serves.
    mutating func nextServing(_ model: String?) -> UpstreamAddress? {
        let without = lacking(model)
        guard !without.isEmpty else { return nil }
        var open: [EndpointID] = []
        for (id, endpoint) in endpoints where !without.contains(id) && !full.contains(id) {
            guard !isUsable(id) else { return nil }
            if endpoint.isDegraded || endpoint.health.state == .healthy { open.append(id) }
        }
        return next(of: open.sorted()).flatMap { endpoints[$0]?.address }
    }

    /// Whether a model is served by endpoints that have as many requests as they may, and lacked by
    /// others: its requests are then refused as any are where all are full.
    func isServedByFull(_ model: String?, excluding excluded: Set<EndpointID>) -> Bool {
        guard !full.isEmpty else { return false }
        let without = lacking(model)
        return !without.isEmpty && full.contains { !without.contains($0) && !excluded.contains($0) }
    }

    /// With no endpoint at all, one that answered before, or was never asked, is tried.
    ///
    /// Checks are then perhaps misjudged, or still to come.
    /// Source: Envoy's panic threshold, at no healthy endpoint.
    private mutating func nextSuspect() -> UpstreamAddress? {
        let suspects = endpoints.filter { id, endpoint in
            (endpoint.isSuspect || endpoint.health.state == .unknown) && !full.contains(id)
        }
        return next(of: suspects.keys.sorted()).flatMap { endpoints[$0]?.address }
    }
}
