import MartletCore
public import MartletTransport

// MARK: gRPC

extension ModelServer {
    /// Answers a gRPC call; see ``RequestResponder``.
    public func respond(to call: GRPCCall, reply: Reply<GRPCResponse>) {
        journal.didReceive()
        let operation: Operation<GRPCCall, [UInt8]>
        let standing: TaskStanding
        do {
            let found = grpcOperations[call.path]
            let tenant = try admission.check(
                operation: found?.name, headers: call.metadata, context: call.context)
            guard let found else {
                throw ServingError(.unimplemented, "Unknown method \(call.path)")
            }
            operation = found
            standing = try admission.standing(tenant: tenant, headers: call.metadata)
        } catch {
            finish(call, RequestSubject(), .failure(error), reply)
            return
        }
        process(
            call, operation, bytes: call.message.count, context: call.context, standing: standing
        ) { subject, result in
            self.finish(call, subject, result, reply)
        }
    }

    private func finish(
        _ call: GRPCCall, _ subject: RequestSubject, _ result: Result<[UInt8], any Error>,
        _ reply: Reply<GRPCResponse>
    ) {
        let response: GRPCResponse
        let code: StatusCode
        var bytes = 0
        switch result {
        case .success(let message) where message.count > answerBytesMax ?? .max:
            code = .resourceExhausted
            response = .failure(
                code, "Sent message larger than max (\(message.count) vs. \(answerBytesMax ?? 0))")
        case .success(let message):
            code = .ok
            bytes = message.count
            response = .message(message)
        case .failure(let error):
            let fault = servingError(error)
            code = fault.code
            response = .failure(fault.code, fault.message)
        }
        journal.didAnswer(
            RequestRecord(call, subject: subject, code: code, responseBytes: bytes))
        reply.send(response)
    }
}
