/// A refusal that is thrown or returned as an error.
struct AccessFailure: Error {
    let refusal: AccessRefusal

    init(_ refusal: AccessRefusal) {
        self.refusal = refusal
    }

    /// A key or certificate is not good.
    static func credential(_ message: String) -> AccessFailure {
        AccessFailure(.credential(.credential, message))
    }

    /// The credential does not allow what is asked.
    static func scope(_ message: String) -> AccessFailure {
        AccessFailure(.scope(message))
    }
}

extension AccessScope {
    /// Whether a request may be made, without its quotas.
    ///
    /// - Parameter request: the request; a model that is not known yet is not looked at.
    /// - Returns: its priority, or what is not allowed.
    func check(_ request: AccessRequest) -> Result<RequestPriority, AccessFailure> {
        let question = request.question
        let denied = question.isOpen ? [] : question.verbs.subtracting(verbs)
        guard denied.isEmpty else {
            let names = denied.names.map { "'\($0)'" }.joined(separator: " and ")
            let remark = question.isKnown ? "" : ", as what is not known counts"
            return .failure(.scope("The credential does not allow \(names)\(remark)"))
        }
        if case .named(let model) = question.model, !allows(model: model) {
            return .failure(AccessFailure(.model(model)))
        }
        if question.mayNameOthers, limitsModels { return .failure(AccessFailure(.otherModels)) }
        guard let text = request.priority else { return .success(standardPriority) }
        guard let priority = RequestPriority(rawValue: text.lowercased()) else {
            return .failure(AccessFailure(.priority(text)))
        }
        guard priorities.contains(priority) else {
            return .failure(
                .scope("The credential does not allow the priority '\(priority.rawValue)'"))
        }
        return .success(priority)
    }
}

extension AccessRefusal {
    /// The credential is for some models, or for so much of each, and the request names none that
    /// can be read: a node might choose one.
    static var noModel: AccessRefusal {
        .scope("The credential looks at models; name one that it allows as 'model', once")
    }

    /// The credential is for some models, and only the first message of a stream is looked at.
    static var otherModels: AccessRefusal {
        .scope(
            "The credential is for some models only, and later messages of a stream may name "
                + "others; call ModelInfer")
    }

    /// The credential does not allow a model.
    static func model(_ name: String) -> AccessRefusal {
        .scope("The credential does not allow the model '\(name.prefix(128))'")
    }
}

extension AccessGrant {
    /// What a grant becomes when more quotas were asked for.
    func followed(
        by taken: QuotaDecision, _ claims: [QuotaClaim], awaitsModel: Bool = false
    ) -> AccessDecision {
        switch taken {
        case .refused(let refusal): return .refused(.quota(refusal))
        case .admitted(let balance):
            let isLess = balance.map { $0.remaining < self.balance?.remaining ?? .max } ?? false
            return .admitted(
                AccessGrant(
                    identity: identity, priority: priority,
                    lease: AccessLease(pool: identity.pool, claims: lease.claims + claims),
                    awaitsModel: awaitsModel, balance: isLess ? balance : self.balance,
                    spendsTokens: spendsTokens))
        }
    }
}
