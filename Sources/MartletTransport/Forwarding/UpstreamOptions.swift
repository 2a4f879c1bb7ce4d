import MartletCore
import NIOCore
import Synchronization

/// How an upstream is connected to, and how much may be under way there.
public struct UpstreamOptions: Sendable {
    /// `nil` to speak in the clear.
    public var encryption: UpstreamEncryption?

    /// Longest wait for a connection; `nil` for what the gateway's limits say.
    public var connectTimeout: Duration?

    /// How long an idle connection is kept; `nil` for what the gateway's limits say.
    public var idleTimeout: Duration?

    /// Connections of all event loops.
    public var connectionsMax = Int.max

    /// Requests of all event loops that wait for a connection.
    public var pendingRequestsMax = Int.max

    /// After how long a silence of an upstream that speaks HTTP/2 it is asked whether it is still
    /// there, while requests are under way; longer each time that it is.
    ///
    /// `nil` for never.
    public var pingInterval: Duration? = .seconds(10)

    /// How long it may take to say so, before its connection is closed.
    public var pingTimeout: Duration = .seconds(20)

    /// How often a request asks for a load report along with its answer; `nil` for never.
    public var loadReportInterval: Duration?

    /// Connects in the clear, without bounds but the gateway's.
    public init() {}
}

/// What the pools of all event loops know of upstreams together.
final class SharedUpstreams: Sendable {
    private let all = Mutex<[HashedText: SharedUpstream]>([:])
    private let roomMaker = Mutex<RoomMaker?>(nil)

    /// Closes an unused connection to an upstream, and calls back once, on any thread.
    typealias RoomMaker =
        @Sendable (UpstreamAddress, @escaping @Sendable (RoomRound.Outcome) -> Void) -> Void

    /// Closes an unused connection to an upstream, of whichever event loop.
    ///
    /// - Parameters:
    ///   - address: the upstream.
    ///   - completion: called once, on any thread: when the connection is closed, or all event
    ///     loops have said that they have none.
    func makeRoom(
        at address: UpstreamAddress,
        completion: @escaping @Sendable (RoomRound.Outcome) -> Void
    ) {
        guard let maker = roomMaker.withLock({ $0 }) else { return completion(.none) }
        maker(address, completion)
    }

    /// Says how room is made.
    func makeRoom(by maker: @escaping RoomMaker) {
        roomMaker.withLock { $0 = maker }
    }

    /// Upstreams that are not named stay as they were: requests from before may still go there.
    func set(_ options: UpstreamOptions, for address: UpstreamAddress) {
        self[address].options = options
    }

    subscript(address: UpstreamAddress) -> SharedUpstream {
        guard let requests = address.requestConnections else { return self[address.connections] }
        let ofRequests = self[requests]
        return known(address.connections) { SharedUpstream(forCopiesBeside: ofRequests) }
    }

    /// An upstream by what its connections are kept by.
    subscript(connections: HashedText) -> SharedUpstream { known(connections) { SharedUpstream() } }

    private func known(
        _ connections: HashedText, _ make: () -> SharedUpstream
    ) -> SharedUpstream {
        all.withLock { all in
            if let known = all[connections] { return known }
            let new = make()
            all[connections] = new
            return new
        }
    }
}

/// How one upstream is connected to, and how much is under way there: connections, and requests
/// that wait for one.
final class SharedUpstream: Sendable {
    private let settings = Mutex(UpstreamOptions())
    private let connections = Atomic(0)
    private let pending = Atomic(0)
    private let http1AloneUntil = Mutex<NIODeadline?>(nil)
    private let lastReportTurn = Mutex<ContinuousClock.Instant?>(nil)
    /// What is under way of requests, where this is of their copies; `nil` where it is of requests.
    private let requests: SharedUpstream?

    /// What is under way at an upstream.
    ///
    /// - Parameter requests: the same of requests, where this is of their copies.
    init(forCopiesBeside requests: SharedUpstream? = nil) {
        self.requests = requests
    }

    /// Whether this is of copies of requests, which wait for nothing.
    var isForCopies: Bool { requests != nil }

    /// How it is connected to; copies are as requests are.
    var options: UpstreamOptions {
        get { requests?.options ?? settings.withLock { $0 } }
        set { settings.withLock { $0 = newValue } }
    }

    /// For how long it is believed that an upstream does not speak HTTP/2: it may be replaced.
    static let http1AloneTime = TimeAmount.seconds(60)

    /// Whether it was found not to speak HTTP/2, not long ago.
    func speaksHTTP1Alone(now: NIODeadline) -> Bool {
        http1AloneUntil.withLock { $0.map { now < $0 } ?? false }
    }

    /// Notes which versions of HTTP it was found to speak.
    func note(speaksHTTP2: Bool, now: NIODeadline) {
        http1AloneUntil.withLock {
            $0 = speaksHTTP2 ? nil : now + SharedUpstream.http1AloneTime
        }
    }

    /// Whether it has as many connections as it may.
    var isFull: Bool { connections.load(ordering: .relaxed) >= options.connectionsMax }

    /// Counts in a connection that a request waits for; `false` where there is no room for it.
    func begin() -> Bool {
        let options = options
        let taken = requests?.connections.load(ordering: .relaxed) ?? 0
        // Loops that count in at the same moment may both be refused, never both admitted.
        if connections.add(1, ordering: .relaxed).newValue > options.connectionsMax - taken {
            connections.subtract(1, ordering: .relaxed)
            return false
        }
        if pending.add(1, ordering: .relaxed).newValue > options.pendingRequestsMax {
            pending.subtract(1, ordering: .relaxed)
            connections.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    /// The connection is there, and counts until it is closed; `nil` where there will be none.
    func didConnect(_ channel: (any Channel)?) {
        pending.subtract(1, ordering: .relaxed)
        guard let channel else {
            connections.subtract(1, ordering: .relaxed)
            return
        }
        channel.closeFuture.whenComplete { _ in self.connections.subtract(1, ordering: .relaxed) }
    }

    /// Lets one request in an interval ask for a load report.
    ///
    /// - Returns: whether it is this one, and when there is another.
    func takeReportTurn(
        now: ContinuousClock.Instant
    ) -> (isTaken: Bool, next: ContinuousClock.Instant) {
        guard let interval = options.loadReportInterval else { return (false, now + .seconds(1)) }
        return lastReportTurn.withLock { last in
            if let last, now < last + interval { return (false, last + interval) }
            last = now
            return (true, now + interval)
        }
    }

    /// Encrypts a new connection where that is wanted.
    ///
    /// - Throws: `ServingError` where it is wanted, and nothing says how.
    func configure(_ channel: any Channel, to address: UpstreamAddress, isHTTP2: Bool) throws {
        if let encryption = options.encryption {
            try encryption.configure(channel, to: address, isHTTP2: isHTTP2)
        } else if address.isEncrypted {
            throw ServingError(.internal, "Nothing says how \(address) is spoken to by TLS")
        }
    }
}
