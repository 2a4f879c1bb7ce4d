import NIOCore

/// One server on one event loop: its connection, the commands under way, and whether it is well.
///
/// It connects when the first command comes. After a failure it does so again when a command comes
/// and the server's rest is over; until that connection is ready, commands fail at once.
final class RedisLink {
    /// Called once for each command, on the event loop, perhaps before `send` returns.
    typealias Completion = (Result<RedisReply, RedisFailure>) -> Void

    private enum State {
        /// Not connected; the next command connects.
        case closed
        /// A connection or its handshake is under way; becomes `ready` or `closed`.
        case connecting(attempt: Int, RedisConnection?)
        /// Commands are sent; becomes `closed`.
        case ready(RedisConnection)
        /// Nothing is sent any more; the connection ends with the last reply.
        case retired(RedisConnection?)
    }

    let server: RedisAddress
    private let connector: RedisConnector
    private let journal: RedisJournal
    /// Told that the server failed.
    private let onTrouble: () -> Void
    private var state = State.closed
    private var circuit: RedisCircuit
    private var pipeline: RedisPipeline<Completion>
    private var attempts = 0
    private var isFlushDue = false
    private var expiry: (deadline: Duration, timer: Scheduled<Void>)?

    init(
        to server: RedisAddress, connector: RedisConnector, journal: RedisJournal,
        onTrouble: @escaping () -> Void
    ) {
        let configuration = connector.configuration
        self.server = server
        self.connector = connector
        self.journal = journal
        self.onTrouble = onTrouble
        circuit = RedisCircuit(
            failuresMax: configuration.failuresMax, restMin: configuration.restMin,
            restMax: configuration.restMax)
        pipeline = RedisPipeline(
            commandsMax: configuration.commandsInFlightMax,
            bytesMax: configuration.bytesInFlightMax)
    }

    /// Whether commands can be sent at once.
    var isReady: Bool {
        if case .ready = state { return true }
        return false
    }

    /// Whether the server failed and has not shown since that it is well.
    var isSuspect: Bool { circuit.isSuspect && !isReady }

    /// Connects again if the server has rested; what comes of it shows later.
    func reviveIfRested() {
        if case .closed = state, !circuit.isResting(now: .sinceStart) { connect() }
    }

    /// Sends a command, behind `ASKING` if a redirection says so.
    func send(
        _ command: RedisCommand, isAsking: Bool, deadline: Duration,
        then completion: @escaping Completion
    ) {
        switch state {
        case .retired: return completion(.failure(lost))
        case .closed:
            reviveIfRested()
            if circuit.isSuspect { return completion(.failure(open)) }
        case .connecting where circuit.isSuspect: return completion(.failure(open))
        case .connecting, .ready: break
        }
        let entry = RedisPipeline.Entry(
            command, isAsking: isAsking, deadline: deadline, completion: completion)
        guard pipeline.add(entry) else {
            let message = "Too many commands are under way at Redis at \(server)"
            return completion(.failure(RedisFailure(.overloaded, message)))
        }
        if isReady { scheduleFlush() }
        scheduleExpiry(at: deadline)
    }

    /// Takes no more commands; the connection ends when those under way are over.
    func retire() {
        switch state {
        case .closed: state = .retired(nil)
        case .retired: break
        case .connecting(_, let connection):
            state = .retired(nil)
            connection?.close()
            finishAll(lost)
        case .ready(let connection):
            flush()
            state = .retired(connection)
            closeIfRetired()
        }
    }

    /// Ends everything now.
    func close(_ failure: RedisFailure) {
        let connection = connection
        state = .retired(nil)
        connection?.close()
        finishAll(failure)
    }

    /// The server says that it cannot serve: as bad as no reply.
    func reportUnavailable() {
        guard circuit.commandFailed(now: .sinceStart, jitter: .random(in: 0...1)) else { return }
        disconnect(RedisFailure(.unavailable, "Redis at \(server) cannot serve now"))
    }

    // MARK: The connection's news

    /// The handshake is over.
    func connectionIsReady(_ connection: RedisConnection) {
        guard case .connecting = state else { return connection.close() }
        state = .ready(connection)
        journal.found(server)
        flush()
    }

    /// A reply has come.
    func received(_ reply: RedisReply) {
        switch pipeline.receive() {
        case .unwanted: break
        case .unexpected:
            disconnect(RedisFailure(.protocolBroken, "Redis at \(server) sent a reply too many"))
        case .wanted(let completion):
            if !reply.meansUnavailable(from: server) { circuit.succeeded() }
            completion(.success(reply))
        }
        closeIfRetired()
    }

    /// The connection is gone, and the link is not who ended it.
    func connectionEnded(_ failure: RedisFailure) {
        if case .connecting = state {
            circuit.connectionFailed(now: .sinceStart, jitter: .random(in: 0...1))
        } else if pipeline.awaitsReplies {
            // One that ends while nothing is asked tells little: servers close idle connections.
            _ = circuit.commandFailed(now: .sinceStart, jitter: .random(in: 0...1))
        }
        disconnect(failure)
    }
}

extension RedisLink {
    private var connection: RedisConnection? {
        switch state {
        case .closed: nil
        case .connecting(_, let connection), .retired(let connection): connection
        case .ready(let connection): connection
        }
    }

    private var lost: RedisFailure {
        RedisFailure(.connectionLost, "The connection to Redis at \(server) ended")
    }

    private var open: RedisFailure {
        RedisFailure(.circuitOpen, "Redis at \(server) failed lately, so it is left alone")
    }

    private func connect() {
        attempts += 1
        let attempt = attempts
        state = .connecting(attempt: attempt, nil)
        let eventLoop = connector.eventLoop.assumeIsolated()
        // Beside the connection itself, this limits the handshake, with that of TLS.
        eventLoop.scheduleTask(in: TimeAmount(connector.timeout)) { [weak self] in
            guard let self, isConnecting(attempt) else { return }
            connectionEnded(
                RedisFailure(.timedOut, "Redis at \(server) let a new connection wait"))
        }
        connector.connect(to: server) { [weak self] result in
            let connection = try? result.get().pipeline.syncOperations.handler(
                type: RedisConnection.self)
            guard let self, isConnecting(attempt) else {
                connection?.close()
                return
            }
            guard let connection else {
                connectionEnded(
                    RedisFailure(.connectionLost, "Cannot connect to Redis at \(server)"))
                return
            }
            state = .connecting(attempt: attempt, connection)
            connection.begin(for: self)
        }
    }

    private func isConnecting(_ attempt: Int) -> Bool {
        guard case .connecting(attempt, _) = state else { return false }
        return true
    }

    /// Ends the connection and all commands under way.
    private func disconnect(_ failure: RedisFailure) {
        let connection = connection
        let isRetired = if case .retired = state { true } else { false }
        state = isRetired ? .retired(nil) : .closed
        connection?.close()
        if !isRetired, circuit.isSuspect { journal.lost(server, failure) }
        finishAll(failure)
        if !isRetired { onTrouble() }
    }

    private func finishAll(_ failure: RedisFailure) {
        cancelExpiry()
        for completion in pipeline.removeAll() { completion(.failure(failure)) }
    }

    private func closeIfRetired() {
        guard case .retired(let connection?) = state, pipeline.earliestDeadline == nil
        else { return }
        state = .retired(nil)
        connection.close()
        cancelExpiry()
    }

    // MARK: Writing

    /// Commands of one turn of the event loop go out together.
    private func scheduleFlush() {
        guard !isFlushDue else { return }
        isFlushDue = true
        connector.eventLoop.assumeIsolated().execute { [weak self] in self?.flush() }
    }

    private func flush() {
        isFlushDue = false
        guard case .ready(let connection) = state, !pipeline.isEmpty else { return }
        var bytes = ByteBuffer()
        pipeline.send(to: &bytes)
        if bytes.readableBytes > 0 { connection.write(bytes) }
    }

    // MARK: Time

    /// One timer is enough for all commands: when it fires it looks for the next one to wait for.
    private func scheduleExpiry(at deadline: Duration) {
        if let expiry {
            guard deadline < expiry.deadline else { return }
            expiry.timer.cancel()
        }
        let timer = connector.eventLoop.assumeIsolated().scheduleTask(
            deadline: NIODeadline(sinceStart: deadline)
        ) { [weak self] () -> Void in self?.expire() }
        expiry = (deadline, timer)
    }

    private func cancelExpiry() {
        expiry?.timer.cancel()
        expiry = nil
    }

    private func expire() {
        expiry = nil
        let (completions, wereSent) = pipeline.expire(now: .sinceStart)
        if let next = pipeline.earliestDeadline { scheduleExpiry(at: next) }
        let failure = RedisFailure(.timedOut, "Redis at \(server) gave no reply in time")
        // Those that time out together count once: it is one silence of the server.
        let isResting =
            wereSent && circuit.commandFailed(now: .sinceStart, jitter: .random(in: 0...1))
        if isResting { disconnect(failure) }
        for completion in completions { completion(.failure(failure)) }
        if wereSent, !isResting { onTrouble() }
        closeIfRetired()
    }
}
