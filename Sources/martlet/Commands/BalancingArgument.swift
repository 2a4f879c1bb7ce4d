public import ArgumentParser
public import MartletGateway

extension BalancingAlgorithm: ExpressibleByArgument {}
