import MartletTensors

/// Tells apart the tasks that cannot share a batch, or had better not, by the shape of their rows.
enum RowShape {
    /// A number that tasks have in common whose rows fit together.
    ///
    /// Where rows are padded, lengths up to the same power of two are alike, so that short rows do
    /// not pay for long ones. Two shapes may have the same number by chance; the batch then comes
    /// apart when its inputs are merged.
    static func key(of inputs: [NamedTensor], isPadded: Bool) -> Int {
        var hasher = Hasher()
        for input in inputs {
            let dimensions = input.tensor.shape.dimensions
            hasher.combine(dimensions.count)
            for dimension in dimensions.dropFirst() {
                hasher.combine(isPadded ? bucket(of: dimension) : dimension)
            }
        }
        return hasher.finalize()
    }

    /// Which power of two a length is padded to at most.
    static func bucket(of length: Int) -> Int {
        guard length > 1 else { return max(0, length) }
        return Int.bitWidth - (length - 1).leadingZeroBitCount + 1
    }
}
