public import MartletCore
public import MartletTensors

/// Makes inputs for a signature that are neither zeros nor all alike.
///
/// The same inputs come for the same signature, so that a choice can be repeated.
public struct TrialInputs: Sendable {
    /// Sizes of the dimensions that may be of any size, but the first: some models need a few
    /// steps, others only take one.
    public static let openSizes = [16, 1]

    private let maximumBytes: Int

    /// Creates a maker of inputs of at most so many bytes each.
    public init(maximumBytes: Int = Limits().messageBytes) {
        self.maximumBytes = maximumBytes
    }

    /// Whether a signature takes batches of any size.
    public static func takesBatches(_ signature: Signature) -> Bool {
        !signature.inputs.isEmpty
            && signature.inputs.allSatisfy { ($0.shape.dimensions?.first ?? 0) < 0 }
    }

    /// Inputs in the signature's order.
    ///
    /// - Parameters:
    ///   - signature: takes them.
    ///   - batch: the size of the first dimension, where it may be any.
    ///   - openSize: that of the others.
    /// - Returns: the inputs.
    /// - Throws: `ServingError` for strings, and for inputs that are too large.
    public func make(
        for signature: Signature, batch: Int, openSize: Int
    ) throws -> [NamedTensor] {
        var generator = SplitMix(state: 0x5EED)
        return try signature.inputs.map { spec in
            let dimensions = (spec.shape.dimensions ?? [-1]).enumerated().map { index, size in
                size >= 0 ? size : index == 0 ? batch : openSize
            }
            let shape = try Shape(dimensions)
            let (bytes, overflow) = shape.elementCount.multipliedReportingOverflow(
                by: spec.dtype.byteSize ?? 0)
            guard !overflow, bytes <= maximumBytes else {
                throw ServingError.invalidArgument("Input '\(spec.name)' would be too large")
            }
            return NamedTensor(
                name: spec.name,
                tensor: try TrialInputs.tensor(
                    spec.dtype, shape, of: spec.name, from: &generator))
        }
    }

    private static func tensor(
        _ dtype: DataType, _ shape: Shape, of name: String, from generator: inout SplitMix
    ) throws -> Tensor {
        let count = shape.elementCount
        func make<Element: BitwiseCopyable>(_ next: (UInt64) -> Element) throws -> Tensor {
            let values = (0..<count).map { _ in next(generator.next()) }
            return try Tensor(dtype: dtype, shape: shape, values: values)
        }
        // Whole numbers are mostly indices, lengths and counts: small ones are in bounds.
        switch dtype {
        case .float: return try make { Float(unit($0)) }
        case .double: return try make { unit($0) }
        case .bfloat16:
            return try make { UInt16(truncatingIfNeeded: Float(unit($0)).bitPattern >> 16) }
        // 1 to 2 in steps of 1/1024.
        case .half: return try make { 0x3C00 | UInt16($0 & 0x3FF) }
        case .bool, .int8: return try make { UInt8($0 & 1) }
        case .uint8: return try make { UInt8(truncatingIfNeeded: $0) }
        case .int16, .uint16: return try make { UInt16($0 & 3) }
        case .int32, .uint32: return try make { UInt32($0 & 3) }
        case .int64, .uint64: return try make { $0 & 3 }
        default:
            throw ServingError(
                .unimplemented, "No values are made up for '\(name)' of type \(dtype.name)")
        }
    }

    /// A number from -1 to 1.
    private static func unit(_ bits: UInt64) -> Double {
        Double(bits >> 11) * 0x1p-52 - 1
    }
}

/// Steele, Lea and Flood's generator: small, and the same everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
