import MartletCore

/// A task that is turned away at the door, since its answer would come too late.
struct BatchRefusal: Error, Sendable {
    /// Which bound it would break, as metrics name it.
    enum Bound: String, Sendable, CaseIterable {
        /// The client's own deadline.
        case deadline
        /// The target latency of the model.
        case target
        /// The tasks that may wait.
        case queue
    }

    let bound: Bound
    /// What the client is told.
    let error: ServingError

    init(_ bound: Bound, _ message: String) {
        self.bound = bound
        error = ServingError(.resourceExhausted, message)
    }
}
