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

    /// Connects in the clear, without bounds but the gateway's.
    public init() {}
}

/// What the pools of all event loops know of upstreams together.
final class SharedUpstreams: Sendable {
    private let all = Mutex<[UpstreamAddress: SharedUpstream]>([:])

    func set(_ options: [UpstreamAddress: UpstreamOptions]) {
        all.withLock { all in
            for (address, upstream) in all where options[address] == nil {
                upstream.options = UpstreamOptions()
            }
            for (address, options) in options {
                all[address, default: SharedUpstream()].options = options
            }
        }
    }

    func set(_ options: UpstreamOptions, for address: UpstreamAddress) {
        self[address].options = options
    }

    subscript(address: UpstreamAddress) -> SharedUpstream {
        all.withLock { all in
            if let known = all[address] { return known }
            let new = SharedUpstream()
            all[address] = new
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
    /// Connections that were wanted, and for which there was no room.
    private let wanted = Atomic(0)

    /// How it is connected to.
    var options: UpstreamOptions {
        get { settings.withLock { $0 } }
        set { settings.withLock { $0 = newValue } }
    }

    /// Counts in a connection that a request waits for; `false` where there is no room for it.
    func begin() -> Bool {
        let options = options
        // Loops that count in at the same moment may both be refused, never both admitted.
        if connections.add(1, ordering: .relaxed).newValue > options.connectionsMax {
            connections.subtract(1, ordering: .relaxed)
            wanted.store(1, ordering: .relaxed)
            return false
        }
        if pending.add(1, ordering: .relaxed).newValue > options.pendingRequestsMax {
            pending.subtract(1, ordering: .relaxed)
            connections.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    /// The connection is there, or will not be.
    func didConnect(_ hasSucceeded: Bool) {
        pending.subtract(1, ordering: .relaxed)
        if !hasSucceeded { connections.subtract(1, ordering: .relaxed) }
    }

    /// Whether an idle connection is to make room for that of another event loop.
    func isRoomWanted() -> Bool {
        guard wanted.load(ordering: .relaxed) > 0 else { return false }
        return wanted.exchange(0, ordering: .relaxed) > 0
    }

    /// A connection was closed.
    func didClose() { connections.subtract(1, ordering: .relaxed) }

    /// Encrypts a new connection where that is wanted.
    func configure(_ channel: any Channel, to address: UpstreamAddress, isHTTP2: Bool) throws {
        try options.encryption?.configure(channel, to: address, isHTTP2: isHTTP2)
    }
}
