internal import Foundation

/// What a trial of an engine against the reference found, and what follows from it.
///
/// It holds no engine and no clock.
public struct TrialRecord: Sendable, Equatable {
    /// What one kind of request took.
    public struct Pace: Sendable, Equatable {
        /// Rows of each request.
        public let batch: Int
        /// Runs a second of the reference.
        public let reference: Double
        /// Runs a second of the engine that is tried.
        public let other: Double

        /// Creates a pace.
        public init(batch: Int, reference: Double, other: Double) {
            self.batch = batch
            self.reference = reference
            self.other = other
        }

        var speedup: Double { reference > 0 ? other / reference : 0 }
    }

    /// How much faster an engine must be on the whole to be worth a change of engine.
    public static let leastSpeedup = 1.1
    /// How slow it may be in any kind of request.
    public static let leastSpeedupOfAny = 0.95

    /// How far the answers differ.
    public var agreement: OutputAgreement
    /// The paces measured.
    public var paces: [Pace] = []

    /// Creates a record of nothing measured yet.
    public init(agreement: OutputAgreement) {
        self.agreement = agreement
    }

    /// How many times faster the engine is: the geometric mean over all paces.
    public var speedup: Double? {
        guard !paces.isEmpty else { return nil }
        let product = paces.reduce(1) { $0 * $1.speedup }
        return pow(product, 1 / Double(paces.count))
    }

    /// What follows for the engine that was tried.
    ///
    /// - Parameters:
    ///   - engine: its name.
    ///   - precision: how exactly it computed.
    ///   - reference: the name of the engine it was compared with.
    /// - Returns: the choice, which is either engine.
    public func verdict(
        engine: String, precision: EnginePrecision, reference: String
    ) -> EngineChoice {
        var choice = EngineChoice(
            engine: reference, reason: .wrong, detail: "", speedup: speedup, error: agreement.error)
        let title = precision == .fast ? "\(engine) in 16 bits" : engine
        guard agreement.isRight else {
            let fault =
                agreement.fault
                ?? "it is off by \(TrialRecord.text(agreement.error)) of the outputs' range, above "
                + TrialRecord.text(agreement.tolerance)
            choice.detail = "\(title) is wrong: \(fault)"
            return choice
        }
        let figures =
            paces.map { "\(TrialRecord.text($0.speedup)) x at batch \($0.batch)" }
            .joined(separator: ", ") + ", error \(TrialRecord.text(agreement.error))"
        guard let speedup, speedup >= TrialRecord.leastSpeedup,
            paces.allSatisfy({ $0.speedup >= TrialRecord.leastSpeedupOfAny })
        else {
            choice.reason = .slower
            choice.detail = "\(title) is right and not faster: \(figures)"
            return choice
        }
        choice.engine = engine
        choice.precision = precision
        choice.reason = .faster
        choice.detail = "\(title) against \(reference): \(figures)"
        return choice
    }

    /// Two digits, which is what measurements are worth.
    public static func text(_ value: Double) -> String { String(format: "%.2g", value) }
}
