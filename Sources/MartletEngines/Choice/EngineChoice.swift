/// Which engine runs a version, and why.
public struct EngineChoice: Sendable, Hashable {
    /// Why an engine was chosen, in a word that metrics count.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// No other engine of this node loads the format.
        case only
        /// The operator named it.
        case named
        /// It was right and faster than the reference.
        case faster
        /// Both run it, as each is faster with another number of clients.
        case both
        /// The other was right, and not faster.
        case slower
        /// The other gave other answers.
        case wrong
        /// The other could not load the model, or failed to run it.
        case refused
        /// The other is not installed.
        case absent
        /// A run takes so little time that no other engine is worth its memory.
        case small
        /// The model could not be tried: no inputs were found that it runs on.
        case untried
    }

    /// The engine's name.
    public var engine: String
    /// How exactly it computes.
    public var precision: EnginePrecision
    /// Why.
    public var reason: Reason
    /// Why, in words and figures.
    public var detail: String
    /// Runs a second of the engine that was tried, over those of the reference; `nil` where none
    /// was.
    public var speedup: Double?
    /// The largest difference of the engine that was tried from the reference, relative to the
    /// range of each output; `nil` where they were not compared.
    public var error: Double?

    /// Creates a choice.
    public init(
        engine: String, precision: EnginePrecision = .exact, reason: Reason, detail: String,
        speedup: Double? = nil, error: Double? = nil
    ) {
        self.engine = engine
        self.precision = precision
        self.reason = reason
        self.detail = detail
        self.speedup = speedup
        self.error = error
    }
}
