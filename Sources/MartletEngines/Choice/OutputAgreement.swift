public import MartletTensors

/// How far the answers of one engine are from those of another.
public struct OutputAgreement: Sendable, Equatable {
    /// The largest difference that is taken for the same answer, relative to an output's range.
    public let tolerance: Double

    /// The largest difference seen, relative to the range of its output.
    public private(set) var error: Double = 0

    /// What cannot be told by a difference; `nil` when nothing is.
    public private(set) var fault: String?

    /// Whether all that was compared is the same answer.
    public var isRight: Bool { fault == nil && error <= tolerance }

    /// Creates an agreement on nothing yet.
    public init(tolerance: Double) {
        self.tolerance = tolerance
    }

    /// The tolerance that a precision is held to.
    ///
    /// 32-bit engines agree within 3e-6 on every model tried, 16-bit ones within 0.4 % on networks
    /// for images and 1.3 % on encoders; where they are off by more, they are off by 5 to 15 %.
    public static func tolerance(of precision: EnginePrecision) -> Double {
        switch precision {
        case .exact: 1e-4
        case .fast: 2e-2
        }
    }

    /// Compares the outputs of one run.
    public mutating func compare(reference: [NamedTensor], other: [NamedTensor]) {
        guard reference.map(\.name) == other.map(\.name) else {
            fault = fault ?? "the outputs are others"
            return
        }
        for (first, second) in zip(reference, other) {
            compare(first.name, first.tensor, second.tensor)
        }
    }

    private mutating func compare(_ name: String, _ reference: Tensor, _ other: Tensor) {
        guard reference.dtype == other.dtype, reference.shape == other.shape else {
            fault =
                fault
                ?? "output '\(name)' is \(other.dtype.name) \(other.shape), not "
                + "\(reference.dtype.name) \(reference.shape)"
            return
        }
        guard let expected = reference.realValues, let found = other.realValues else {
            if reference != other { fault = fault ?? "output '\(name)' differs" }
            return
        }
        let finite = expected.filter(\.isFinite)
        let (least, most) = (finite.min() ?? 0, finite.max() ?? 0)
        // An output of one value has no range; its size stands for it.
        let range = most > least ? most - least : max(abs(most), 1e-30)
        for (first, second) in zip(expected, found) {
            if first == second || first.isNaN && second.isNaN { continue }
            guard first.isFinite, second.isFinite else {
                fault = fault ?? "output '\(name)' is \(second) where \(first) is expected"
                return
            }
            error = max(error, abs(first - second) / range)
        }
        compareGreatest(name, expected, found, rows: reference.shape, range: range)
    }

    /// Compares which value of each row is the greatest, unless the first two are too close for
    /// the tolerance to tell them apart.
    private mutating func compareGreatest(
        _ name: String, _ expected: [Double], _ found: [Double], rows shape: Shape, range: Double
    ) {
        guard let length = shape.dimensions.last, length > 1, fault == nil else { return }
        for start in stride(from: 0, to: expected.count, by: length) {
            let row = start..<(start + length)
            guard let first = row.max(by: { expected[$0] < expected[$1] }),
                let second = row.max(by: { found[$0] < found[$1] }), first != second
            else { continue }
            guard expected[first] - expected[second] > 2 * tolerance * range else { continue }
            fault =
                "output '\(name)' has its greatest value at \(second - start), not at "
                + "\(first - start)"
            return
        }
    }
}

extension Tensor {
    /// The values of a tensor of real numbers; `nil` for other types, which must be equal.
    fileprivate var realValues: [Double]? {
        switch dtype {
        case .float: values(as: Float.self).map(Double.init)
        case .double: values(as: Double.self)
        case .bfloat16:
            values(as: UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) }
        case .half: values(as: Float16.self).map(Double.init)
        default: nil
        }
    }
}
