import MartletCore
public import MartletTensors

/// Makes up tensors that fit a signature.
public struct TensorGenerator: Sendable {
    /// Most bytes of one tensor.
    public static let bytesMax = 1 << 30

    private var random: SplitMix
    private let batch: Int
    private let shapes: [String: [Int]]

    /// Creates a generator.
    ///
    /// - Parameters:
    ///   - seed: the same seed makes the same tensors.
    ///   - batch: size of the first dimension where the signature leaves it open.
    ///   - shapes: shapes of inputs by name, which go before the signature's.
    public init(seed: UInt64, batch: Int = 1, shapes: [String: [Int]] = [:]) {
        random = SplitMix(seed: seed)
        self.batch = batch
        self.shapes = shapes
    }

    /// Makes up a tensor for each input.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a shape that is not known or does not fit,
    ///   and for types that have no numbers of their own.
    public mutating func tensors(for inputs: [TensorSpec]) throws -> [NamedTensor] {
        if let name = shapes.keys.sorted().first(where: { name in
            !inputs.contains { $0.name == name }
        }) {
            throw ServingError.invalidArgument(
                "--shape names '\(name)', which is no input; the inputs are "
                    + inputs.map { "'\($0.name)'" }.joined(separator: ", "))
        }
        return try inputs.map { NamedTensor(name: $0.name, tensor: try tensor(for: $0)) }
    }

    private func shape(of input: TensorSpec) throws -> Shape {
        if let dimensions = shapes[input.name] {
            let shape = try Shape(dimensions)
            guard input.shape.accepts(shape) else {
                throw ServingError.invalidArgument(
                    "--shape gives '\(input.name)' the shape \(shape); the signature has "
                        + "\(input.shape)")
            }
            return shape
        }
        guard let dimensions = input.shape.dimensions else {
            throw ServingError.invalidArgument(
                "The signature does not say the shape of '\(input.name)'; "
                    + "give it with --shape \(input.name)=1,2,3")
        }
        return try Shape(
            dimensions.enumerated().map { index, size in
                size >= 0 ? size : index == 0 ? batch : 1
            })
    }

    private mutating func tensor(for input: TensorSpec) throws -> Tensor {
        let shape = try shape(of: input)
        let elementBytes = input.dtype.byteSize ?? 16
        guard shape.elementCount <= TensorGenerator.bytesMax / elementBytes else {
            throw ServingError.invalidArgument(
                "The tensor of '\(input.name)' would be larger than "
                    + "\(TensorGenerator.bytesMax) bytes")
        }
        let count = shape.elementCount
        switch input.dtype {
        case .float: return try fill(input, shape) { Float($0.unit()) }
        case .double: return try fill(input, shape) { $0.unit() }
        case .half: return try fill(input, shape) { TensorGenerator.half($0.unit()) }
        case .bfloat16: return try fill(input, shape) { TensorGenerator.bfloat16($0.unit()) }
        case .bool: return try fill(input, shape) { UInt8(truncatingIfNeeded: $0.next() & 1) }
        case .uint8: return try fill(input, shape) { UInt8(truncatingIfNeeded: $0.next()) }
        // Small, so that they are places in small tables too.
        case .int8: return try fill(input, shape) { Int8($0.small()) }
        case .int16, .uint16: return try fill(input, shape) { UInt16($0.small()) }
        case .int32, .uint32: return try fill(input, shape) { UInt32($0.small()) }
        case .int64, .uint64: return try fill(input, shape) { UInt64($0.small()) }
        case .string:
            return try Tensor(shape: shape, strings: (0..<count).map { _ in word() })
        case .complex64, .complex128, .qint8, .quint8, .qint16, .quint16, .qint32:
            throw ServingError.invalidArgument(
                "Tensors of type \(input.dtype.name) cannot be made up; give what is to be sent "
                    + "with --data")
        }
    }

    private mutating func fill<Element: BitwiseCopyable>(
        _ input: TensorSpec, _ shape: Shape, _ element: (inout SplitMix) -> Element
    ) throws -> Tensor {
        let values = (0..<shape.elementCount).map { _ in element(&random) }
        return try Tensor(dtype: input.dtype, shape: shape, values: values)
    }

    private mutating func word() -> [UInt8] {
        (0..<8).map { _ in UInt8(ascii: "a") + UInt8(random.next() % 26) }
    }

    private static func bfloat16(_ value: Double) -> UInt16 {
        UInt16(truncatingIfNeeded: Float(value).bitPattern >> 16)
    }

    /// The bits of a half-precision number between 0 and 1, rounded towards 0.
    private static func half(_ value: Double) -> UInt16 {
        let bits = Float(value).bitPattern
        let exponent = Int((bits >> 23) & 0xFF) - 127 + 15
        guard exponent > 0 else { return 0 }
        return UInt16(exponent) << 10 | UInt16(truncatingIfNeeded: (bits >> 13) & 0x3FF)
    }
}

extension SplitMix {
    /// A number from 0 to 9.
    fileprivate mutating func small() -> UInt8 { UInt8(next() % 10) }
}
