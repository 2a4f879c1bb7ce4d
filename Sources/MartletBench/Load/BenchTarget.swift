public import MartletTransport

/// A server under load: its connections, and what is sent by them.
public struct BenchTarget: Sendable {
    /// The target as the report names it.
    public let name: String

    /// What is sent.
    public let requests: BenchRequests

    private let lanes: LoadLanes

    /// Connects.
    ///
    /// - Parameters:
    ///   - name: the target as the report names it.
    ///   - server: where it is, and how many connections are made.
    ///   - requests: what is sent.
    ///   - lanes: threads that send.
    ///   - eventLoops: those threads.
    /// - Throws: `ServingError`, as ``LoadLanes/open(_:count:on:)``.
    public init(
        _ name: String, server: BenchServer, requests: BenchRequests, lanes: Int,
        on eventLoops: EventLoops
    ) async throws {
        self.name = name
        self.requests = requests
        var target = server.target(requests.requests)
        target.keepsAnswers = requests.isStreaming
        self.lanes = try await LoadLanes.open(target, count: lanes, on: eventLoops)
    }

    /// Puts load on the server.
    ///
    /// - Parameters:
    ///   - plan: how much, and for how long.
    ///   - watch: is shown the collector of what comes, while it comes.
    /// - Returns: what came.
    public func run(
        _ plan: BenchPlan, watch: (LoadCollector) -> Void = { _ in }
    ) async -> LoadCollector.Snapshot {
        var whole = plan
        whole.variants = requests.requests.count
        whole.isStreaming = requests.isStreaming
        let collector = LoadCollector(interval: plan.interval)
        watch(collector)
        let (wire, count, sent) = (requests.wire, lanes.count, whole)
        await lanes.run { index in
            BenchDriver(sent, wire: wire, lane: index, of: count, collector: collector)
        }
        collector.finish()
        return collector.snapshot()
    }

    /// Ends the connections.
    public func close() async {
        await lanes.close()
    }
}

/// Where a server is, and how it is spoken to.
public struct BenchServer: Sendable {
    /// Name or address.
    public var host: String

    /// Port.
    public var port: Int

    /// How the server is known; `nil` to speak in the clear.
    public var tls: ClientTLS?

    /// HTTP/1.1 or gRPC.
    public var wire: LoadWire

    /// Header fields of every request.
    public var headers: HeaderFields = [:]

    /// Connections of all threads together.
    public var connections = 1

    /// Longest wait for a connection and for an answer.
    public var timeout: Duration = .seconds(10)

    /// Creates a server.
    public init(host: String, port: Int, wire: LoadWire, tls: ClientTLS? = nil) {
        self.host = host
        self.port = port
        self.wire = wire
        self.tls = tls
    }

    /// The target of requests to this server.
    func target(_ requests: [LoadRequest]) -> LoadTarget {
        var target = LoadTarget(host: host, port: port, wire: wire, tls: tls, requests: requests)
        for index in target.requests.indices {
            for field in headers.fields {
                target.requests[index].headers.add(field.name, field.value)
            }
        }
        target.connections = connections
        target.timeout = timeout
        return target
    }
}
