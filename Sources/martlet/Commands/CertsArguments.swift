public import ArgumentParser
public import MartletOperations

extension KeyCurve: ExpressibleByArgument {
    /// All curves, for messages.
    static var allNames: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

extension RevocationReason: ExpressibleByArgument {
    /// All reasons, for messages.
    static var allNames: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
