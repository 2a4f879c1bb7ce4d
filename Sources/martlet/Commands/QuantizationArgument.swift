public import ArgumentParser
public import MartletEngines

extension LlamaQuantization: ExpressibleByArgument {
    /// Reads a type, in capitals or not.
    public init?(argument: String) {
        self.init(rawValue: argument.uppercased())
    }
}
