import MartletProtocols
import SwiftProtobuf

/// ONNX models for tests.
enum ONNXSample {
    /// y = x + offset, whose offset is a constant.
    static func model(_ change: (inout Onnx_ModelProto) -> Void = { _ in }) throws -> [UInt8] {
        var model = Onnx_ModelProto.with { model in
            model.irVersion = 8
            model.graph.name = "add"
            model.graph.node = [.with { $0.opType = "Add" }]
            model.graph.initializer = [
                .with {
                    $0.name = "offset"
                    $0.dataType = 1
                    $0.dims = [1]
                }
            ]
            model.graph.input = [tensor("x"), tensor("offset")]
            model.graph.output = [tensor("y")]
        }
        change(&model)
        return try model.serializedBytes()
    }

    /// A tensor of floats in rows of 4.
    static func tensor(_ name: String, type: Int32 = 1) -> Onnx_ValueInfoProto {
        .with { value in
            value.name = name
            value.type.tensorType.elemType = type
            value.type.tensorType.shape.dim = [
                .with { $0.dimParam = "batch" }, .with { $0.dimValue = 4 },
            ]
        }
    }
}
