@testable import MartletGateway

/// Questions and answers of the tests.
extension AccessControl {
    /// The decision on a prediction, or another question.
    func ask(
        _ secret: String?, _ model: String = "pitch", verb: AccessVerb = .predict,
        priority: String? = nil, identities: [CertificateIdentity] = [],
        at seconds: Double = 0, unixTime: Duration = TestIssuer.start
    ) -> AccessDecision {
        admit(
            AccessRequest(
                AccessQuestion(AccessVerbs(verb), model: .named(model)), secret: secret,
                priority: priority, identities: identities, unixTime: unixTime),
            now: .seconds(seconds))
    }
}

extension AccessDecision {
    var grant: AccessGrant? {
        guard case .admitted(let grant) = self else { return nil }
        return grant
    }

    var refusal: AccessRefusal? {
        guard case .refused(let refusal) = self else { return nil }
        return refusal
    }
}

extension AccessRefusal {
    func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }
}
