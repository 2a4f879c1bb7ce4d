import MartletCore

/// Why a connection cannot go on: what the client sent may be read in more than one way, or is
/// beyond a limit.
struct HTTP1Fault: Error, Equatable {
    /// The status that the client is told.
    let status: Int

    /// What is wrong, for people.
    let text: String

    /// A request that breaks the grammar, or a rule.
    static func malformed(_ text: String) -> HTTP1Fault {
        HTTP1Fault(status: 400, text: text)
    }

    /// The request as the responder and the client learn of it.
    var requestFault: RequestFault {
        let code = status == 400 ? StatusCode.invalidArgument : .unimplemented
        return RequestFault(ServingError(code, text), status: status)
    }
}
