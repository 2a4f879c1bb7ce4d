import MartletCore
import NIOCore
import NIOPosix

/// Connections to one target on one thread, for a ``LoadDriver`` to send requests by.
///
/// It has no queue: what cannot be sent now is the driver's to keep. A connection that ends is made
/// anew.
public final class LoadLane {
    private static let reconnectDelay = TimeAmount.milliseconds(100)
    private static let sweepDelay = TimeAmount.milliseconds(100)

    let eventLoop: any EventLoop
    let target: LoadTarget
    private let connector: LoadConnector
    private var connections: [any LoadConnection] = []
    private var turn = 0
    private var changed: [any LoadConnection] = []
    private var driver: (any LoadDriver)?
    private var done: EventLoopPromise<Void>?
    private var depth = 0
    private var alarm: ScheduledAlarm?
    private var sweep: Scheduled<Void>?
    private var isClosed = false

    /// The time of what is being told, in nanoseconds of ``LoadLane/clock()``.
    public private(set) var now: UInt64 = LoadLane.clock()

    /// Requests that have no answer yet.
    public private(set) var outstanding = 0

    /// The monotonic clock of all lanes, in nanoseconds.
    public static func clock() -> UInt64 { NIODeadline.now().uptimeNanoseconds }

    init(_ target: LoadTarget, connector: LoadConnector, eventLoop: any EventLoop) {
        self.target = target
        self.connector = connector
        self.eventLoop = eventLoop
    }

    // MARK: What drivers do

    /// Sends a request, if a connection has room for it.
    ///
    /// - Parameters:
    ///   - request: its place in ``LoadTarget/requests``.
    ///   - token: what the driver knows it by.
    /// - Returns: whether it was taken.
    public func send(_ request: Int, token: UInt64) -> Bool {
        let count = connections.count
        for _ in 0..<count {
            turn = turn + 1 < count ? turn + 1 : 0
            let connection = connections[turn]
            guard connection.hasRoom else { continue }
            connection.send(request, token: token, now: now)
            outstanding += 1
            if changed.last !== connection { changed.append(connection) }
            return true
        }
        return false
    }

    /// Asks for ``LoadDriver/woke(on:)`` at a time; the last call counts.
    public func wake(at time: UInt64) {
        if alarm == nil { alarm = ScheduledAlarm(self) }
        alarm?.set(time)
    }

    /// Gives up all requests that have no answer yet; each is told to have timed out.
    public func abandon() {
        for connection in connections { connection.expire(sentBefore: .max) }
    }

    /// Ends the driver's run: it is told nothing more.
    public func finish() {
        alarm?.cancel()
        driver = nil
        done?.succeed()
        done = nil
    }

    // MARK: Runs

    /// Lets a driver work until it finishes.
    func run(_ driver: any LoadDriver) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        self.driver = driver
        done = promise
        perform { $0.begin(on: self) }
        return promise.futureResult
    }

    /// Tells the driver something, then sends what it wants to be sent.
    private func perform(_ action: (any LoadDriver) -> Void) {
        if depth == 0 { now = LoadLane.clock() }
        depth += 1
        if let driver { action(driver) }
        depth -= 1
        if depth == 0 { flush() }
    }

    /// Reads a connection's bytes: all that they bring about goes out together.
    func reading(_ action: () -> Void) {
        if depth == 0 { now = LoadLane.clock() }
        depth += 1
        action()
        depth -= 1
        if depth == 0 { flush() }
    }

    private func flush() {
        while !changed.isEmpty {
            let all = changed
            changed.removeAll(keepingCapacity: true)
            for connection in all { connection.flush() }
        }
    }

    fileprivate func alarmRang() {
        perform { $0.woke(on: self) }
    }

    // MARK: What connections tell

    func ended(_ token: UInt64, _ outcome: LoadOutcome, bytes: Int) {
        outstanding -= 1
        perform { $0.ended(token, outcome, bytes: bytes, on: self) }
    }

    func received(_ bytes: [UInt8], for token: UInt64) {
        perform { $0.received(bytes, for: token, on: self) }
    }

    func closed(_ connection: any LoadConnection) {
        guard let index = connections.firstIndex(where: { $0 === connection }) else { return }
        connections.remove(at: index)
        guard !isClosed else { return }
        reconnect(after: .zero)
    }

    // MARK: Connections

    /// Makes the first connections.
    func open(_ count: Int) -> EventLoopFuture<Void> {
        scheduleSweep()
        let attempts = (0..<count).map { _ in connect() }
        return EventLoopFuture.andAllSucceed(attempts, on: eventLoop)
    }

    func close() {
        isClosed = true
        sweep?.cancel()
        alarm?.cancel()
        for connection in connections { connection.close() }
    }

    private func connect() -> EventLoopFuture<Void> {
        connector.connect(on: eventLoop, lane: self)
    }

    func connected(_ connection: any LoadConnection) {
        if isClosed {
            connection.close()
        } else {
            connections.append(connection)
        }
    }

    private func reconnect(after delay: TimeAmount) {
        eventLoop.assumeIsolated().scheduleTask(in: delay) {
            guard !self.isClosed else { return }
            self.connect().assumeIsolated().whenComplete { result in
                switch result {
                case .success: self.perform { $0.reconnected(on: self) }
                case .failure(let error):
                    let reason = (error as? ServingError)?.message ?? "\(error)"
                    self.perform { $0.connectionFailed(reason, on: self) }
                    self.reconnect(after: LoadLane.reconnectDelay)
                }
            }
        }
    }

    private func scheduleSweep() {
        sweep = eventLoop.assumeIsolated().scheduleTask(in: LoadLane.sweepDelay) {
            self.expire()
            self.scheduleSweep()
        }
    }

    private func expire() {
        let timeout = UInt64(clamping: TimeAmount(target.timeout).nanoseconds)
        let now = LoadLane.clock()
        guard now > timeout else { return }
        reading {
            for connection in connections { connection.expire(sentBefore: now - timeout) }
        }
    }
}

/// A timer that is set anew without an allocation each time.
private final class ScheduledAlarm: NIOScheduledCallbackHandler {
    private weak var lane: LoadLane?
    private let eventLoop: any EventLoop
    private var callback: NIOScheduledCallback?

    init(_ lane: LoadLane) {
        self.lane = lane
        eventLoop = lane.eventLoop
    }

    func set(_ time: UInt64) {
        callback?.cancel()
        callback = try? eventLoop.assumeIsolated().scheduleCallback(
            at: .uptimeNanoseconds(time), handler: self)
    }

    func cancel() {
        callback?.cancel()
        callback = nil
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        callback = nil
        lane?.alarmRang()
    }
}
