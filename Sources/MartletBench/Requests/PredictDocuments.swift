import MartletCore
import MartletTensors

/// Tensors as the JSON of requests.
enum PredictDocuments {
    /// The body of TensorFlow Serving's `:predict`, in columns.
    static func predict(_ choice: ModelChoice, _ tensors: [NamedTensor]) throws -> [UInt8] {
        var writer = JSONWriter(style: .compact)
        writer.beginObject()
        if let signature = choice.signature {
            writer.key("signature_name")
            writer.string(signature)
        }
        writer.key("inputs")
        writer.beginObject()
        for named in tensors {
            writer.key(named.name)
            var elements = try Elements(named)
            write(&elements, named.tensor.shape.dimensions[...], to: &writer)
        }
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    /// The body of the Open Inference Protocol's `infer`.
    static func infer(_ choice: ModelChoice, _ tensors: [NamedTensor]) throws -> [UInt8] {
        var writer = JSONWriter(style: .compact)
        writer.beginObject()
        if let signature = choice.signature {
            writer.key("parameters")
            writer.beginObject()
            writer.key("signature_name")
            writer.string(signature)
            writer.endObject()
        }
        writer.key("inputs")
        writer.beginArray()
        for named in tensors {
            writer.beginObject()
            writer.key("name")
            writer.string(named.name)
            writer.key("datatype")
            writer.string(try PredictRequests.openInferenceName(named))
            writer.key("shape")
            writer.beginArray()
            for size in named.tensor.shape.dimensions { writer.integer(size) }
            writer.endArray()
            writer.key("data")
            var elements = try Elements(named)
            write(&elements, [named.tensor.shape.elementCount], to: &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    private static func write(
        _ elements: inout Elements, _ dimensions: ArraySlice<Int>, to writer: inout JSONWriter
    ) {
        guard let size = dimensions.first else { return elements.writeNext(to: &writer) }
        writer.beginArray()
        for _ in 0..<size { write(&elements, dimensions.dropFirst(), to: &writer) }
        writer.endArray()
    }

    /// The elements of a tensor, one after the other.
    private struct Elements {
        private enum Values {
            case doubles([Double])
            case floats([Float])
            case integers([Int64])
            case flags([UInt8])
            case strings([[UInt8]])
        }

        private let values: Values
        private var next = 0

        init(_ named: NamedTensor) throws {
            let tensor = named.tensor
            switch tensor.dtype {
            case .float: values = .floats(tensor.values(as: Float.self))
            case .double: values = .doubles(tensor.values(as: Double.self))
            case .bool: values = .flags(tensor.values(as: UInt8.self))
            case .int8: values = .integers(tensor.values(as: Int8.self).map { Int64($0) })
            case .uint8: values = .integers(tensor.values(as: UInt8.self).map { Int64($0) })
            case .int16: values = .integers(tensor.values(as: Int16.self).map { Int64($0) })
            case .uint16: values = .integers(tensor.values(as: UInt16.self).map { Int64($0) })
            case .int32: values = .integers(tensor.values(as: Int32.self).map { Int64($0) })
            case .uint32: values = .integers(tensor.values(as: UInt32.self).map { Int64($0) })
            case .int64, .uint64: values = .integers(tensor.values(as: Int64.self))
            case .string: values = .strings(tensor.strings)
            case .bfloat16:
                values = .floats(
                    tensor.values(as: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) })
            case .half:
                values = .floats(tensor.values(as: UInt16.self).map(Elements.float(half:)))
            default:
                throw ServingError.invalidArgument(
                    "'\(named.name)' is of type \(tensor.dtype.name), which JSON does not have")
            }
        }

        mutating func writeNext(to writer: inout JSONWriter) {
            defer { next += 1 }
            switch values {
            case .doubles(let values): writer.decimal(values[next])
            case .floats(let values): writer.decimal(values[next])
            case .integers(let values): writer.integer(values[next])
            case .flags(let values): writer.bool(values[next] != 0)
            case .strings(let values): writer.string(utf8: values[next])
            }
        }

        /// The number whose half-precision bits these are, as far as they are made up here:
        /// neither negative nor subnormal.
        private static func float(half bits: UInt16) -> Float {
            guard bits != 0 else { return 0 }
            let exponent = UInt32(bits >> 10 & 0x1F) + 127 - 15
            return Float(bitPattern: exponent << 23 | UInt32(bits & 0x3FF) << 13)
        }
    }
}
