import NIOCore

/// A connection that keeps something of its last request for the next one.
protocol KeptHeadHolder: AnyObject {
    /// Where it stands among those of its event loop; nil for nowhere. For ``KeptHeadSweep`` to
    /// change.
    var keptHeadPlace: Int? { get set }

    /// Lets go of what it keeps if no request has come since it was asked the last time; whether it
    /// has.
    func letGoIfIdle() -> Bool
}

/// Has the connections of an event loop let go of what they keep of one request for the next, once
/// none comes for a second or two.
///
/// Most connections are idle most of the time, and a head is larger than all else that they hold of
/// ours. One timer for all: a connection that is used costs a look, and one that is not, nothing.
final class KeptHeadSweep {
    private static let pause = TimeAmount.seconds(1)

    private let eventLoop: any EventLoop
    private var holders: [any KeptHeadHolder] = []
    private var isScheduled = false

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// The number of those that keep something.
    var count: Int { holders.count }

    /// A connection keeps something from now on.
    func add(_ holder: any KeptHeadHolder) {
        guard holder.keptHeadPlace == nil else { return }
        holder.keptHeadPlace = holders.count
        holders.append(holder)
        schedule()
    }

    /// A connection keeps nothing any more.
    func remove(_ holder: any KeptHeadHolder) {
        guard let place = holder.keptHeadPlace else { return }
        holder.keptHeadPlace = nil
        let last = holders.removeLast()
        guard last !== holder else { return }
        holders[place] = last
        last.keptHeadPlace = place
    }

    /// Asks each of them once.
    func sweep() {
        // From behind: the one that takes a place that has become free was asked before.
        for place in holders.indices.reversed() where holders[place].letGoIfIdle() {
            remove(holders[place])
        }
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        eventLoop.assumeIsolated().scheduleTask(in: KeptHeadSweep.pause) {
            self.isScheduled = false
            self.sweep()
            if !self.holders.isEmpty { self.schedule() }
        }
    }
}
