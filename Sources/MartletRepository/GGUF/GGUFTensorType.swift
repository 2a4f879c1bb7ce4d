/// How the elements of a tensor are stored: a number of the format, its name and its block.
public struct GGUFTensorType: Sendable, Hashable, CustomStringConvertible {
    /// The name as the field writes it, such as `Q4_K`.
    public let name: String

    /// Elements that are stored together.
    public let blockElements: Int

    /// Bytes that they take together.
    public let blockBytes: Int

    /// The type of a number; `nil` for those that are not known, or are no longer.
    init?(number: UInt32) {
        guard let layout = GGUFTensorType.layouts[number] else { return nil }
        name = layout.name
        blockElements = layout.elements
        blockBytes = layout.bytes
    }

    /// The name.
    public var description: String { name }

    private struct Layout {
        let name: String
        let elements: Int
        let bytes: Int

        init(_ name: String, _ elements: Int, _ bytes: Int) {
            self.name = name
            self.elements = elements
            self.bytes = bytes
        }
    }

    /// By the numbers of `ggml_type` (`ggml.h`); those between were taken out of the format.
    private static let layouts: [UInt32: Layout] = [
        0: Layout("F32", 1, 4),
        1: Layout("F16", 1, 2),
        2: Layout("Q4_0", 32, 18),
        3: Layout("Q4_1", 32, 20),
        6: Layout("Q5_0", 32, 22),
        7: Layout("Q5_1", 32, 24),
        8: Layout("Q8_0", 32, 34),
        9: Layout("Q8_1", 32, 36),
        10: Layout("Q2_K", 256, 84),
        11: Layout("Q3_K", 256, 110),
        12: Layout("Q4_K", 256, 144),
        13: Layout("Q5_K", 256, 176),
        14: Layout("Q6_K", 256, 210),
        15: Layout("Q8_K", 256, 292),
        16: Layout("IQ2_XXS", 256, 66),
        17: Layout("IQ2_XS", 256, 74),
        18: Layout("IQ3_XXS", 256, 98),
        19: Layout("IQ1_S", 256, 50),
        20: Layout("IQ4_NL", 32, 18),
        21: Layout("IQ3_S", 256, 110),
        22: Layout("IQ2_S", 256, 82),
        23: Layout("IQ4_XS", 256, 136),
        24: Layout("I8", 1, 1),
        25: Layout("I16", 1, 2),
        26: Layout("I32", 1, 4),
        27: Layout("I64", 1, 8),
        28: Layout("F64", 1, 8),
        29: Layout("IQ1_M", 256, 56),
        30: Layout("BF16", 1, 2),
        34: Layout("TQ1_0", 256, 54),
        35: Layout("TQ2_0", 256, 66),
        39: Layout("MXFP4", 32, 17),
        40: Layout("NVFP4", 64, 36),
        41: Layout("Q1_0", 128, 18),
        42: Layout("Q2_0", 64, 18),
    ]
}
