import Foundation

/// The seeds that a simulation runs with.
public enum SimulationSeeds {
    /// The variable that names one seed, to run it alone: that which a failure printed.
    public static let variable = "MARTLET_SIMULATION_SEED"

    /// The first so many seeds, or the one that the environment names.
    public static func first(_ count: UInt64) -> Range<UInt64> {
        guard let text = ProcessInfo.processInfo.environment[variable], let seed = UInt64(text)
        else { return 0..<count }
        return seed..<(seed + 1)
    }

    /// What a failure says, so that it can be repeated.
    public static func replay(_ seed: UInt64) -> String { "replay with \(variable)=\(seed)" }
}
