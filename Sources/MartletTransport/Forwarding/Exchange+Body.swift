import MartletTelemetry
import NIOCore

/// Requests that are decided on by their body.
extension Exchange {
    func awaitBody() {
        isAwaitingBody = true
        machine.awaitedBytes = min(plan.awaitedBodyBytes ?? 0, messageBytesMax)
        decideByBody()
    }

    /// Asks the policy when all of the body is there, or more than it asked for.
    func decideByBody() {
        guard isAwaitingBody, let limit = plan.awaitedBodyBytes else { return }
        let isTooLong = machine.requestBytes > min(limit, messageBytesMax)
        guard
            isTooLong || machine.requestEnded || plan.awaitsFirstMessage && machine.hasFirstMessage
        else { return }
        isAwaitingBody = false
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        policy.decide(plan, body: isTooLong ? nil : machine.requestBody) { decision in
            if eventLoop.inEventLoop {
                bound.value.take(decision)
            } else {
                eventLoop.execute { bound.value.take(decision, isLate: true) }
            }
        }
    }

    private func take(_ decision: ForwardingDecision, isLate: Bool = false) {
        guard let client else { return }
        switch decision {
        case .forward(let plan):
            guard adopt(plan) else { return }
            forward()
            // Nobody else lets go what was decided between two reads.
            current?.upstream?.flush()
        case .awaitBody(let plan):
            if adopt(plan) { awaitBody() }
        case .refuse(let refusal): giveUp(refusal.error, fields: refusal.fields)
        case .answer(let answer):
            machine.giveUp()
            ownBytes = answer.body.count
            httpStatus = answer.status
            if subject.api == .grpc { grpcStatus = answer.grpcStatus }
            conclude()
            client.sendAnswer(answer.changed(by: plan.changes?.response ?? FieldChanges()))
            finish()
        }
    }

    /// Goes by another plan from now on.
    ///
    /// - Returns: whether the client is still there: the body may be too long for the new plan.
    private func adopt(_ plan: ForwardingPlan) -> Bool {
        self.plan = plan
        client?.didDecide()
        guard client != nil else { return false }
        if let body = plan.newBody {
            machine.replaceContent(by: ByteBuffer(bytes: body))
            self.plan.newBody = nil
        }
        return true
    }
}
