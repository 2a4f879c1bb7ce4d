import NIOCore

/// A client's part on one event loop: finds the server of a command and follows redirections.
final class RedisLane {
    typealias Completion = @Sendable (Result<RedisReply, RedisFailure>) -> Void

    /// A command with what is needed to send it once more.
    private struct Call {
        var command: RedisCommand
        let deadline: Duration
        var redirections = 0
        let completion: Completion

        func fail(_ code: RedisFailure.Code, _ message: String) {
            completion(.failure(RedisFailure(code, message)))
        }
    }

    let configuration: RedisConfiguration
    private let connector: RedisConnector
    private let journal: RedisJournal
    private var links: [RedisAddress: RedisLink] = [:]
    private var topology: RedisTopology
    private var schedule: RedisTopologySchedule
    private var isShutDown = false

    init(connector: RedisConnector, journal: RedisJournal) {
        configuration = connector.configuration
        self.connector = connector
        self.journal = journal
        topology = RedisTopology(serversMax: configuration.serversMax)
        schedule = RedisTopologySchedule(
            intervalMin: configuration.topologyIntervalMin,
            interval: configuration.topologyInterval)
    }

    /// Sends a command; `completion` is called once, perhaps before this returns.
    func send(_ command: RedisCommand, on completion: @escaping Completion) {
        guard !isShutDown else { return completion(.failure(.shutDown)) }
        let slot: Int?
        do throws(RedisFailure) {
            try command.check()
            slot = try configuration.isCluster ? command.slot() : nil
        } catch {
            return completion(.failure(error))
        }
        let now = Duration.sinceStart
        refreshTopologyIfDue(now: now)
        let call = Call(
            command: command,
            deadline: now + max(.milliseconds(1), configuration.commandTimeout),
            completion: completion)
        send(call, to: server(of: slot))
    }

    /// Ends all connections; what is under way fails, and so does all that comes.
    func shutDown() {
        isShutDown = true
        let closing = links.values
        links = [:]
        for link in closing { link.close(.shutDown) }
    }
}

// MARK: - Servers

extension RedisLane {
    private func server(of slot: Int?) -> RedisAddress? {
        guard configuration.isCluster else { return firstThatIsWell() }
        if let slot, let owner = topology.owner(of: slot) { return owner }
        // Anybody in the cluster knows who it is, and says so.
        return candidates().first
    }

    private func firstThatIsWell() -> RedisAddress? {
        for server in configuration.addresses {
            guard let link = links[server], link.isSuspect else { return server }
            link.reviveIfRested()
        }
        return configuration.addresses.first
    }

    /// Servers of the cluster in random order, those first that are connected, and last those that
    /// failed lately.
    private func candidates() -> [RedisAddress] {
        func rank(_ server: RedisAddress) -> Int {
            guard let link = links[server] else { return 1 }
            return link.isReady ? 0 : link.isSuspect ? 2 : 1
        }
        let servers = topology.servers.union(configuration.addresses).shuffled()
        return servers.sorted { rank($0) < rank($1) }
    }

    /// The link to a server; nil when there are too many.
    private func link(to server: RedisAddress) -> RedisLink? {
        if let link = links[server] { return link }
        guard links.count < configuration.addresses.count + max(1, configuration.serversMax)
        else { return nil }
        let link = RedisLink(to: server, connector: connector, journal: journal) { [weak self] in
            self?.schedule.want()
        }
        links[server] = link
        return link
    }
}

// MARK: - Commands

extension RedisLane {
    private func send(_ call: Call, to server: RedisAddress?, isAsking: Bool = false) {
        guard !isShutDown else { return call.completion(.failure(.shutDown)) }
        guard let server, let link = link(to: server) else {
            return call.fail(.unavailable, "No Redis server is known that could be asked")
        }
        link.send(call.command, isAsking: isAsking, deadline: call.deadline) { result in
            guard case .success(.error(let text)) = result else {
                // A server that is left alone may have a successor by now.
                if case .failure(let failure) = result, failure.code == .circuitOpen {
                    self.schedule.want()
                }
                return call.completion(result)
            }
            self.mend(call, from: server, isAsking: isAsking, error: text)
        }
    }

    /// Does what an error asks for.
    private func mend(_ call: Call, from server: RedisAddress, isAsking: Bool, error: String) {
        switch RedisErrorReply(error, from: server) {
        case .moved(let slot, let owner) where configuration.isCluster:
            topology.assign(slot, to: owner)
            schedule.want()
            redirect(call, to: owner, isAsking: false)
        case .ask(_, let owner) where configuration.isCluster:
            redirect(call, to: owner, isAsking: true)
        case .noScript:
            guard let command = call.command.withSource else {
                return call.completion(.failure(RedisFailure(.refused, server, said: error)))
            }
            var again = call
            again.command = command
            send(again, to: server, isAsking: isAsking)
        case .tryAgain: call.completion(.failure(RedisFailure(.unavailable, server, said: error)))
        case .unavailable:
            schedule.want()
            links[server]?.reportUnavailable()
            call.completion(.failure(RedisFailure(.unavailable, server, said: error)))
        case .moved, .ask, .refused:
            call.completion(.failure(RedisFailure(.refused, server, said: error)))
        }
    }

    private func redirect(_ call: Call, to server: RedisAddress, isAsking: Bool) {
        guard call.redirections < configuration.redirectionsMax else {
            return call.fail(
                .redirectedTooOften,
                "The cluster sent a command on more than \(configuration.redirectionsMax) times")
        }
        var again = call
        again.redirections += 1
        send(again, to: server, isAsking: isAsking)
    }
}

// MARK: - Topology

extension RedisLane {
    /// Servers asked before the question is put off.
    private static let askedMax = 8

    private func refreshTopologyIfDue(now: Duration) {
        guard configuration.isCluster, schedule.begin(now: now) else { return }
        askForTopology(candidates().prefix(RedisLane.askedMax))
    }

    private func askForTopology(_ servers: ArraySlice<RedisAddress>) {
        guard let server = servers.first, let link = link(to: server), !isShutDown else {
            return schedule.end(isAnswered: false)
        }
        // A connection may have to be made first.
        let deadline = Duration.sinceStart + connector.timeout + configuration.commandTimeout
        link.send(RedisCommand("CLUSTER", "SLOTS"), isAsking: false, deadline: deadline) { result in
            let reply = try? result.get()
            if let topology = reply.flatMap({
                RedisTopology(
                    slots: $0, from: server, serversMax: self.configuration.serversMax)
            }) {
                self.adopt(topology)
            } else {
                self.askForTopology(servers.dropFirst())
            }
        }
    }

    private func adopt(_ topology: RedisTopology) {
        self.topology = topology
        schedule.end(isAnswered: true)
        let known = topology.servers.union(configuration.addresses)
        for (server, link) in links where !known.contains(server) {
            links[server] = nil
            link.retire()
        }
    }
}

extension RedisFailure {
    /// The client is shut down.
    static let shutDown = RedisFailure(.shutDown, "The Redis client is shut down")
}
