public import ArgumentParser
public import MartletModelServer

extension SharedMemoryAccess: ExpressibleByArgument {
    /// All choices, for messages.
    static var allNames: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

extension AdminAccess: ExpressibleByArgument {
    /// All choices, for messages.
    static var allNames: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
