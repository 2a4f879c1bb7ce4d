import MartletTensors

/// OpenVINO's numbers for the types of elements.
enum OpenVINOElement {
    private static let numbers: [(DataType, Int32)] = [
        (.bool, 1), (.bfloat16, 2), (.half, 3), (.float, 4), (.double, 5), (.int8, 7), (.int16, 8),
        (.int32, 9), (.int64, 10), (.uint8, 16), (.uint16, 17), (.uint32, 18), (.uint64, 19),
    ]

    /// The type that a number stands for; `nil` for those that cannot be served by OpenVINO.
    static func dataType(_ number: Int32) -> DataType? {
        numbers.first { $0.1 == number }?.0
    }

    /// The number of a type; `nil` for strings, complex and quantised numbers.
    static func number(_ dtype: DataType) -> Int32? {
        numbers.first { $0.0 == dtype }?.1
    }
}
