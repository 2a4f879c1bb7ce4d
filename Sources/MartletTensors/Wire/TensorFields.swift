/// Numbers of the fields of TensorFlow's `TensorProto` and of what is in it.
enum TensorFields {
    static let dtype = 1
    static let shape = 2
    static let versionNumber = 3
    static let content = 4
    static let strings = 8

    /// `TensorShapeProto.dim`, and the dimension's size.
    static let dimension = 2
    static let unknownRank = 3
    static let dimensionSize = 1

    /// How elements of a type are sent.
    enum Values {
        /// As they lie in memory, back to back.
        case fixed(field: Int)
        /// As numbers of varying length.
        case varints(field: Int)
        /// Each as a field of its own.
        case strings
    }

    /// The field that holds the elements of a type.
    static func values(of dtype: DataType) -> Values {
        switch dtype {
        case .float: .fixed(field: 5)
        case .double: .fixed(field: 6)
        case .int32, .qint32, .int16, .qint16, .int8, .qint8, .uint16, .quint16, .uint8, .quint8:
            .varints(field: 7)
        case .string: .strings
        case .complex64: .fixed(field: 9)
        case .int64: .varints(field: 10)
        case .bool: .varints(field: 11)
        case .complex128: .fixed(field: 12)
        case .half, .bfloat16: .varints(field: 13)
        case .uint32: .varints(field: 16)
        case .uint64: .varints(field: 17)
        }
    }
}
