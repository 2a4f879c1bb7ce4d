import MartletCore
import MartletProtocols
import MartletTensors

/// The JSON of the model metadata API.
///
/// TensorFlow Serving prints the two parts by themselves and puts them together as text; so do we,
/// to the same bytes.
enum MetadataJSON {
    /// The body of `GET /v1/models/NAME/metadata`.
    static func body(
        _ id: ServableID, signatures: [String: Tensorflow_SignatureDef]
    ) -> [UInt8] {
        Array("{\n\"model_spec\":".utf8) + modelSpec(id) + Array("\n,\n\"metadata\": {".utf8)
            + Array("\"signature_def\": ".utf8) + signatureDefMap(signatures)
            + Array("\n}\n}\n".utf8)
    }

    private static func modelSpec(_ id: ServableID) -> [UInt8] {
        var writer = JSONWriter(style: .protobuf)
        writer.beginObject()
        writer.key("name")
        writer.string(id.model)
        writer.key("signature_name")
        writer.string("")
        writer.key("version")
        writer.string(String(id.version))
        writer.endObject()
        return writer.bytes
    }

    private static func signatureDefMap(
        _ signatures: [String: Tensorflow_SignatureDef]
    ) -> [UInt8] {
        var writer = JSONWriter(style: .protobuf, reservingCapacity: 4096)
        writer.beginObject()
        writer.key("signature_def")
        writer.beginObject()
        for (name, signature) in signatures.sorted(by: { $0.key < $1.key }) {
            writer.key(name)
            write(signature, to: &writer)
        }
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    private static func write(_ signature: Tensorflow_SignatureDef, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("inputs")
        write(signature.inputs, to: &writer)
        writer.key("outputs")
        write(signature.outputs, to: &writer)
        writer.key("method_name")
        writer.string(signature.methodName)
        writer.key("defaults")
        writer.beginObject()
        for (name, value) in signature.defaults.sorted(by: { $0.key < $1.key }) {
            writer.key(name)
            writer.tensor(value)
        }
        writer.endObject()
        writer.endObject()
    }

    private static func write(
        _ tensors: [String: Tensorflow_TensorInfo], to writer: inout JSONWriter
    ) {
        writer.beginObject()
        for (name, info) in tensors.sorted(by: { $0.key < $1.key }) {
            writer.key(name)
            write(info, to: &writer)
        }
        writer.endObject()
    }

    private static func write(_ info: Tensorflow_TensorInfo, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("dtype", info.dtype)
        writer.member("tensor_shape", info.tensorShape)
        writer.key("name")
        writer.string(info.name)
        writer.endObject()
    }
}
