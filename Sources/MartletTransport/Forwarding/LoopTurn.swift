import NIOCore

/// A connection that has something to do when its event loop has read all that came.
protocol LoopTurnMember: AnyObject {
    /// Whether it stands in line; for ``LoopTurn`` to change.
    var isInTurn: Bool { get set }

    /// Does what is to be done, such as writing.
    func endTurn()
}

/// Lets the connections of an event loop write once for all that one of its turns has brought: a
/// loop first reads from all its sockets, then does what it was asked to do soon.
///
/// Answers of one upstream to a hundred requests of a client so leave in one write, and so do a
/// hundred requests of as many clients to one upstream.
final class LoopTurn {
    private let eventLoop: any EventLoop
    private var members: [any LoopTurnMember] = []

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Lets a connection stand in line; called on the event loop.
    func add(_ member: any LoopTurnMember) {
        guard !member.isInTurn else { return }
        member.isInTurn = true
        members.append(member)
        // Whoever joins while the turn ends is served by that, too.
        if members.count == 1 { eventLoop.assumeIsolated().execute { self.end() } }
    }

    private func end() {
        var next = 0
        while next < members.count {
            let member = members[next]
            next += 1
            member.isInTurn = false
            member.endTurn()
        }
        members.removeAll(keepingCapacity: true)
    }
}
