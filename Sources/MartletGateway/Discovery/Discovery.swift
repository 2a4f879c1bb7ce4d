public import MartletCore

/// Finds the endpoints of a gateway: in DNS, or by asking who runs them.
///
/// Those that stand in the policy need no finding: a reload brings others. How often it looks, and
/// where, is its own affair. Whoever uses it keeps the last set through failures: endpoints do not
/// go away because nobody can say where they are.
public protocol Discovery: Sendable {
    /// The sets of endpoints from now on, each whole: the present one as soon as it is known, then
    /// each that differs from the one before.
    ///
    /// A failure says that the present set could not be learned; the sequence goes on, and the next
    /// set comes even if it is the one before. The sequence ends when there will be no other set,
    /// and when the task that reads it is cancelled. A reader that is slow may miss sets, but never
    /// the newest.
    func endpointSets() -> AsyncStream<Result<EndpointSet, ServingError>>
}
