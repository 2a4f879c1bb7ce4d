import MartletTestKit
import NIOCore
import NIOEmbedded
import Testing

@testable import MartletTransport

/// Random connections to one upstream, against the bounds on them and on who waits for them.
@Suite("Room at an upstream: simulation")
struct UpstreamRoomSimulationTests {
    @Test func randomEvents_neverExceedABoundNorLeakASlot() {
        for seed in SimulationSeeds.first(10_000) {
            var world = World(seed: seed)
            let violation = world.run(steps: 60) ?? world.end()
            #expect(violation == nil, "\(violation ?? "") \(SimulationSeeds.replay(seed))")
            if violation != nil { return }
        }
    }
}

/// An upstream, and beside it what is open and waited for.
private struct World {
    private var generator: SeededGenerator
    private let upstream = SharedUpstream()
    private var options = UpstreamOptions()
    private var open: [EmbeddedChannel] = []
    private var waiting = 0

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        change()
    }

    mutating func run(steps: Int) -> String? {
        for step in 0..<steps {
            switch Int.random(in: 0..<12, using: &generator) {
            case 0: change()
            case 1, 2, 3: connect(fails: false)
            case 4: connect(fails: true)
            case 5, 6: close()
            default: if let violation = begin() { return "step \(step): \(violation)" }
            }
        }
        return nil
    }

    /// Limits may become smaller than what is there already.
    private mutating func change() {
        options.connectionsMax = .random(in: 1...6, using: &generator)
        options.pendingRequestsMax = .random(in: 1...4, using: &generator)
        upstream.options = options
    }

    private mutating func begin() -> String? {
        let hasRoom =
            open.count + waiting < options.connectionsMax && waiting < options.pendingRequestsMax
        let isIn = upstream.begin()
        if isIn { waiting += 1 }
        return isIn == hasRoom
            ? nil
            : "\(isIn) with \(open.count) open and \(waiting) waited for, of "
                + "\(options.connectionsMax) and \(options.pendingRequestsMax)"
    }

    private mutating func connect(fails: Bool) {
        guard waiting > 0 else { return }
        waiting -= 1
        guard !fails else {
            upstream.didConnect(nil)
            return
        }
        let channel = EmbeddedChannel()
        upstream.didConnect(channel)
        open.append(channel)
    }

    private mutating func close() {
        guard !open.isEmpty else { return }
        _ = try? open.remove(at: Int.random(in: 0..<open.count, using: &generator)).finish()
    }

    /// With everything over, as much is let in as at the beginning.
    mutating func end() -> String? {
        while waiting > 0 { connect(fails: Bool.random(using: &generator)) }
        while !open.isEmpty { close() }
        for _ in 0..<8 {
            if let violation = begin() { return "in the end: \(violation)" }
            connect(fails: false)
        }
        while !open.isEmpty { close() }
        return nil
    }
}
