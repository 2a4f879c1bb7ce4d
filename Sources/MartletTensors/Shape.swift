public import MartletCore

/// The shape of a tensor: the size of each dimension, outermost first.
///
/// A scalar has none.
///
/// Every shape in the program has been checked: no dimension is negative and the number of
/// elements fits an `Int`.
public struct Shape: Sendable, Hashable, CustomStringConvertible {
    /// Sizes of the dimensions.
    public let dimensions: [Int]

    /// The product of the dimensions; 1 for a scalar.
    public let elementCount: Int

    /// The shape of a single value.
    public static let scalar = Shape(uncheckedDimensions: [], elementCount: 1)

    /// Creates a shape from sizes that come from outside.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when a size is negative, when there are more
    ///   than `maximumRank` dimensions, or when the number of elements overflows.
    public init(_ dimensions: [Int], maximumRank: Int = Limits().tensorRank) throws {
        guard dimensions.count <= maximumRank else {
            throw ServingError.invalidArgument(
                "Tensor shape has \(dimensions.count) dimensions; the limit is \(maximumRank)")
        }
        // Zero anywhere makes the product zero, but the rest must still not overflow: a later
        // reshape could drop the zero.
        var product = 1
        var isEmpty = false
        for size in dimensions {
            guard size >= 0 else {
                throw ServingError.invalidArgument(
                    "Tensor shape \(Shape.text(dimensions)) has a negative dimension")
            }
            isEmpty = isEmpty || size == 0
            let (next, overflow) = product.multipliedReportingOverflow(by: max(size, 1))
            guard !overflow else {
                throw ServingError.invalidArgument(
                    "Tensor shape \(Shape.text(dimensions)) has more elements than fit in memory")
            }
            product = next
        }
        self.init(uncheckedDimensions: dimensions, elementCount: isEmpty ? 0 : product)
    }

    private init(uncheckedDimensions: [Int], elementCount: Int) {
        self.dimensions = uncheckedDimensions
        self.elementCount = elementCount
    }

    /// The number of dimensions.
    public var rank: Int { dimensions.count }

    /// The number of bytes elements of `dtype` take in this shape.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when it overflows or `dtype` has no fixed
    ///   size.
    public func byteCount(of dtype: DataType) throws -> Int {
        guard let size = dtype.byteSize else {
            throw ServingError.invalidArgument("Elements of type \(dtype.name) have no fixed size")
        }
        let (bytes, overflow) = elementCount.multipliedReportingOverflow(by: size)
        guard !overflow else {
            throw ServingError.invalidArgument("Tensor shape \(self) is too large")
        }
        return bytes
    }

    /// The form messages use: `[2,3]`.
    public var description: String { Shape.text(dimensions) }

    static func text(_ dimensions: [Int]) -> String {
        "[" + dimensions.map(String.init).joined(separator: ",") + "]"
    }
}
