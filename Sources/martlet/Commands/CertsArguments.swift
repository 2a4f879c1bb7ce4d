public import ArgumentParser
public import MartletOperations

// Their values are listed by ArgumentParser, in help and in errors.
extension KeyCurve: ExpressibleByArgument {}

extension RevocationReason: ExpressibleByArgument {}
