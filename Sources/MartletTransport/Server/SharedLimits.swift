import MartletCore

/// The limits of a listener's connections, which are many: each has a reference to them.
final class SharedLimits: Sendable {
    let values: Limits

    init(_ values: Limits) {
        self.values = values
    }
}
