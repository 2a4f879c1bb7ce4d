import MartletCore
public import MartletTransport
import Synchronization

extension ModelServer {
    /// Whether a method is streaming; see ``RequestResponder``.
    public func mayStream(path: String) -> Bool { grpcStreams[path] != nil }

    /// Begins a streaming gRPC call; see ``RequestResponder``.
    public func stream(
        for start: GRPCStreamStart, writer: GRPCStreamWriter
    ) -> (any GRPCStreamHandler)? {
        let operation = grpcStreams[start.path]
        let standing: TaskStanding
        switch admit(start, operation) {
        case .success(let admitted): standing = admitted
        case .failure(let refusal):
            writer.finish(refusal)
            return RefusedStream()
        }
        let stream: any OpenStream
        switch operation {
        case .exchange(let operation): stream = exchange(start, writer, operation, standing)
        case .watch(let open): stream = watch(start, writer, open)
        case nil: return nil
        }
        if !openStreams.withLock({ $0.add(stream) }) { stream.startDraining() }
        return stream
    }

    /// The standing of a call's requests, or why it may not begin.
    private func admit(
        _ start: GRPCStreamStart, _ operation: StreamOperation?
    ) -> Result<TaskStanding, ServingError> {
        guard case .exchange(let exchange) = operation else { return .success(TaskStanding()) }
        do {
            let tenant = try admission.check(
                operation: exchange.each.name, headers: start.metadata, context: start.context)
            return .success(
                try admission.standing(tenant: tenant, headers: start.metadata))
        } catch {
            let fault = servingError(error)
            let subject = RequestSubject(operation: exchange.each.name)
            journal.write(RequestRecord(start, subject: subject, code: fault.code))
            return .failure(fault)
        }
    }

    private func exchange(
        _ start: GRPCStreamStart, _ writer: GRPCStreamWriter, _ exchange: StreamExchangeOperation,
        _ standing: TaskStanding
    ) -> any OpenStream {
        StreamExchange(start, writer: writer, openMax: streamRequestsMax) {
            [self] call, completion in
            journal.didReceive()
            process(
                call, exchange.each, bytes: call.message.count, context: call.context,
                standing: standing
            ) { [self] subject, result in
                var code = StatusCode.ok
                let answer: [UInt8]
                switch result {
                case .success(let message): answer = message
                case .failure(let error):
                    let fault = servingError(error)
                    code = fault.code
                    answer = exchange.failure(call, fault)
                }
                journal.didAnswer(
                    RequestRecord(call, subject: subject, code: code, responseBytes: answer.count))
                completion(answer)
            }
        } didEnd: { [weak self] stream in
            self?.openStreams.withLock { $0.remove(stream) }
        }
    }

    private func watch(
        _ start: GRPCStreamStart, _ writer: GRPCStreamWriter,
        _ open: (GRPCStreamWriter, @escaping StreamEnding) -> any OpenStream
    ) -> any OpenStream {
        open(writer) { [weak self] stream, code in
            guard let self else { return }
            openStreams.withLock { $0.remove(stream) }
            // Not counted as open while it lasts: a client that watches is no load.
            journal.write(
                RequestRecord(start, subject: RequestSubject(operation: "watch"), code: code))
        }
    }
}

/// A stream that has been answered by an error.
private struct RefusedStream: GRPCStreamHandler {
    func receive(_ message: [UInt8]) {}

    func didHalfClose() {}

    func didCancel() {}
}
