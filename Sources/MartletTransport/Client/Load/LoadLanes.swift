import NIOCore
import NIOPosix

/// All connections to one target, on one lane for each of some event loops.
public final class LoadLanes: Sendable {
    private let lanes: [NIOLoopBound<LoadLane>]

    private init(_ lanes: [NIOLoopBound<LoadLane>]) {
        self.lanes = lanes
    }

    /// How many lanes there are.
    public var count: Int { lanes.count }

    /// Connects.
    ///
    /// - Parameters:
    ///   - target: whom to ask, and what.
    ///   - count: lanes, each on an event loop of its own as far as there are so many.
    ///   - eventLoops: the threads that do the work.
    /// - Returns: the lanes, all of whose connections are made.
    /// - Throws: `ServingError`: `UNAVAILABLE` when the target cannot be reached,
    ///   `INVALID_ARGUMENT` for a request that cannot be sent or a certificate that cannot be used.
    public static func open(
        _ target: LoadTarget, count: Int, on eventLoops: EventLoops
    ) async throws -> LoadLanes {
        let connector = try LoadConnector(target)
        let loops = Array(eventLoops.group.makeIterator().prefix(max(1, count)))
        let share = Shares(of: max(target.connections, loops.count), among: loops.count)
        var lanes: [NIOLoopBound<LoadLane>] = []
        for (index, loop) in loops.enumerated() {
            lanes.append(
                try await loop.submit {
                    NIOLoopBound(
                        LoadLane(target, connector: connector, eventLoop: loop), eventLoop: loop)
                }.get())
            let lane = lanes[index]
            let connections = share[index]
            do {
                try await loop.flatSubmit { lane.value.open(connections) }.get()
            } catch {
                await LoadLanes(lanes).close()
                throw error
            }
        }
        return LoadLanes(lanes)
    }

    /// Lets drivers work on all lanes, until each has finished.
    ///
    /// - Parameter makeDriver: makes the driver of a lane, which is told by its number; called on
    ///   the lane's thread.
    public func run(_ makeDriver: @escaping @Sendable (Int) -> any LoadDriver) async {
        let runs = lanes.enumerated().map { index, lane in
            lane.eventLoop.flatSubmit { lane.value.run(makeDriver(index)) }
        }
        for run in runs { try? await run.get() }
    }

    /// Ends all connections.
    public func close() async {
        for lane in lanes {
            try? await lane.eventLoop.submit { lane.value.close() }.get()
        }
    }
}

/// A number parted as evenly as it can be.
public struct Shares: Sendable {
    private let total: Int
    private let count: Int

    /// Parts `total` among `count`.
    public init(of total: Int, among count: Int) {
        self.total = total
        self.count = max(1, count)
    }

    /// How much comes to one.
    public subscript(index: Int) -> Int { total / count + (index < total % count ? 1 : 0) }
}
