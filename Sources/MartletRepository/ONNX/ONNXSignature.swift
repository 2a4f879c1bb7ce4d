import MartletCore
import MartletProtocols
import MartletTensors
internal import SwiftProtobuf

/// The signature of an ONNX graph: what goes in and comes out.
struct ONNXSignature {
    private static let methodName = "tensorflow/serving/predict"

    let signature: Signature
    let definition: Tensorflow_SignatureDef

    /// Reads a graph.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for tensors that no request can hold.
    init(_ graph: Onnx_GraphProto, of file: String) throws {
        let constants = Set(
            graph.initializer.map(\.name) + graph.sparseInitializer.map(\.values.name))
        let inputs = try graph.input.filter { !constants.contains($0.name) }
            .map { try TensorSpec($0, of: file) }
        let outputs = try graph.output.map { try TensorSpec($0, of: file) }
        guard !outputs.isEmpty, Set(inputs.map(\.name)).count == inputs.count,
            Set(outputs.map(\.name)).count == outputs.count
        else {
            throw ServingError.invalidArgument(
                "\(file) has no outputs, or two inputs or outputs of one name")
        }
        signature = Signature(
            name: Signature.defaultName, methodName: ONNXSignature.methodName, inputs: inputs,
            outputs: outputs)
        definition = .with { definition in
            definition.methodName = ONNXSignature.methodName
            for spec in inputs { definition.inputs[spec.name] = spec.info }
            for spec in outputs { definition.outputs[spec.name] = spec.info }
        }
    }
}

extension TensorSpec {
    fileprivate init(_ value: Onnx_ValueInfoProto, of file: String) throws {
        guard case .tensorType(let tensor)? = value.type.value, !value.name.isEmpty,
            let dtype = ONNXElement.dataType(tensor.elemType)
        else {
            throw ServingError.invalidArgument(
                "\(file) has an input or output '\(value.name)' that is no tensor, or of a type "
                    + "that cannot be served")
        }
        self.init(
            name: value.name, graphName: value.name, dtype: dtype,
            shape: tensor.hasShape ? try ShapeSpec(tensor.shape, of: value.name) : .unknownRank)
    }

    fileprivate var info: Tensorflow_TensorInfo {
        .with { info in
            info.name = graphName
            info.dtype = Tensorflow_DataType(rawValue: Int(dtype.rawValue)) ?? .dtInvalid
            info.tensorShape.unknownRank = shape.dimensions == nil
            info.tensorShape.dim = (shape.dimensions ?? []).map { size in
                .with { $0.size = Int64(size) }
            }
        }
    }
}

extension ShapeSpec {
    fileprivate init(_ shape: Onnx_TensorShapeProto, of name: String) throws {
        let maximum = Limits().tensorRank
        guard shape.dim.count <= maximum else {
            throw ServingError.invalidArgument(
                "Tensor '\(name)' has \(shape.dim.count) dimensions; the limit is \(maximum)")
        }
        self.init(
            dimensions: try shape.dim.map { dimension in
                guard case .dimValue(let size)? = dimension.value else { return -1 }
                guard size >= 0, size <= Int64(Int32.max) else {
                    throw ServingError.invalidArgument(
                        "Tensor '\(name)' has a dimension of size \(size)")
                }
                return Int(size)
            })
    }
}

/// ONNX's numbers for the types of elements.
enum ONNXElement {
    private static let dataTypes: [Int32: DataType] = [
        1: .float, 2: .uint8, 3: .int8, 4: .uint16, 5: .int16, 6: .int32, 7: .int64, 8: .string,
        9: .bool, 10: .half, 11: .double, 12: .uint32, 13: .uint64, 14: .complex64,
        15: .complex128, 16: .bfloat16,
    ]

    /// The type that a number stands for; `nil` for those that no client can send.
    static func dataType(_ number: Int32) -> DataType? { dataTypes[number] }
}
