@testable import MartletGateway

/// Endpoints `a:1`, `b:1` and so on.
func endpoints(_ count: Int) -> [EndpointID] {
    (0..<count).map { EndpointID("\(Character(Unicode.Scalar(UInt8(97 + $0)))):1") }
}

extension OutlierDetection {
    /// A detection over healthy endpoints.
    static func watching(
        _ ids: [EndpointID],
        configuration: OutlierDetectionConfiguration = OutlierDetectionConfiguration()
    ) -> OutlierDetection {
        var detection = OutlierDetection(configuration: configuration)
        for id in ids {
            detection.add(id)
            _ = detection.setHealthy(id, true)
        }
        _ = detection.sweep(now: .zero)
        return detection
    }

    /// Records the same outcome so many times, and answers with what changed.
    mutating func record(
        _ count: Int, _ outcome: EndpointOutcome, at id: EndpointID, now: Duration = .zero
    ) -> [EjectionChange] {
        (0..<count).compactMap { _ in record(outcome, at: id, now: now) }
    }

    /// Records so many answers and failures, well mixed.
    mutating func record(answers: Int, failures: Int, at id: EndpointID, now: Duration = .zero) {
        var failed = 0
        for number in 0..<(answers + failures) {
            if failed * (answers + failures) < number * failures {
                failed += 1
                _ = record(.failed(.serverError), at: id, now: now)
            } else {
                _ = record(.answered(latency: .milliseconds(5)), at: id, now: now)
            }
        }
        for _ in 0..<max(0, failures - failed) {
            _ = record(.failed(.serverError), at: id, now: now)
        }
    }
}

extension EjectionChange {
    /// The change in a word or two, such as `a ejected consecutive_failures 30`.
    var summary: String {
        switch self {
        case .ejected(let id, let cause, let time):
            "\(id.address.prefix(1)) ejected \(cause.label) \(time.components.seconds)"
        case .returned(let id, let cause): "\(id.address.prefix(1)) returned \(cause.rawValue)"
        }
    }
}
