internal import Foundation
import MartletProtocols
import MartletTensors

/// Messages about tensors as protobuf's printer writes them when it is told to leave nothing out:
/// empty lists and zeros too, but no message that is not there.
extension JSONWriter {
    /// Writes a type.
    mutating func member(_ name: String, _ dtype: Tensorflow_DataType) {
        key(name)
        string(DataType(rawValue: Int32(dtype.rawValue))?.protobufName ?? "DT_INVALID")
    }

    /// Writes a shape.
    mutating func member(_ name: String, _ shape: Tensorflow_TensorShapeProto) {
        key(name)
        beginObject()
        list("dim", shape.dim) { writer, dimension in
            writer.beginObject()
            writer.key("size")
            writer.string(String(dimension.size))
            writer.key("name")
            writer.string(dimension.name)
            writer.endObject()
        }
        key("unknown_rank")
        bool(shape.unknownRank)
        endObject()
    }

    /// Writes a value, its members in the order in which TensorFlow declares them.
    mutating func tensor(_ tensor: Tensorflow_TensorProto) {
        beginObject()
        member("dtype", tensor.dtype)
        if tensor.hasTensorShape { member("tensor_shape", tensor.tensorShape) }
        key("version_number")
        integer(tensor.versionNumber)
        key("tensor_content")
        string(tensor.tensorContent.base64EncodedString())
        list("half_val", tensor.halfVal) { $0.integer($1) }
        list("float_val", tensor.floatVal) { $0.protobufNumber($1) }
        list("double_val", tensor.doubleVal) { $0.protobufNumber($1) }
        list("int_val", tensor.intVal) { $0.integer($1) }
        list("string_val", tensor.stringVal) { $0.string($1.base64EncodedString()) }
        list("scomplex_val", tensor.scomplexVal) { $0.protobufNumber($1) }
        list("int64_val", tensor.int64Val) { $0.string(String($1)) }
        list("bool_val", tensor.boolVal) { $0.bool($1) }
        list("dcomplex_val", tensor.dcomplexVal) { $0.protobufNumber($1) }
        list("resource_handle_val", [Int]()) { $0.integer($1) }
        list("variant_val", [Int]()) { $0.integer($1) }
        list("uint32_val", tensor.uint32Val) { $0.integer($1) }
        list("uint64_val", tensor.uint64Val) { $0.string(String($1)) }
        key("float8_val")
        string(tensor.float8Val.base64EncodedString())
        endObject()
    }

    private mutating func list<Element>(
        _ name: String, _ elements: [Element], _ write: (inout JSONWriter, Element) -> Void
    ) {
        key(name)
        beginArray()
        for element in elements { write(&self, element) }
        endArray()
    }

    /// Whole numbers have no `.0` there, and what is no number is a text.
    private mutating func protobufNumber<Value>(
        _ value: Value
    ) where Value: BinaryFloatingPoint & LosslessStringConvertible {
        if value.isNaN {
            string("NaN")
        } else if value.isInfinite {
            string(value < 0 ? "-Infinity" : "Infinity")
        } else if let whole = Int32(exactly: value), whole != 0 || value.sign == .plus {
            integer(whole)
        } else {
            decimal(value)
        }
    }
}
