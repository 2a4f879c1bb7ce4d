import Foundation

extension SplitMix {
    /// The logarithm of a number between 0 and 1: minus it, times a mean, is exponentially
    /// distributed.
    mutating func logarithm() -> Double { log(1 - unit()) }
}
