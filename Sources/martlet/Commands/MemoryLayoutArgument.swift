public import ArgumentParser
public import MartletEngines

extension LlamaEngine.Options.MemoryLayout: ExpressibleByArgument {}
