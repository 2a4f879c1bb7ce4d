/// How much of the prompts that were sent to endpoints these were thought to hold, in blocks.
public struct PrefixBlocks: Sendable, Equatable {
    /// Blocks sent.
    public var sent = 0
    /// Of those, the ones that the endpoint was thought to have computed before.
    public var held = 0

    /// None.
    public init() {}
}
