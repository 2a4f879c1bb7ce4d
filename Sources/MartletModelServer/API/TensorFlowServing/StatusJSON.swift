import MartletCore
import MartletTensors

/// The JSON of the model status API, laid out as protobuf's printer does.
enum StatusJSON {
    /// The body of `GET /v1/models/NAME`.
    static func model(_ versions: [VersionStatus]) -> [UInt8] {
        var writer = JSONWriter(style: .protobuf)
        writer.beginObject()
        write(versions, to: &writer)
        writer.endObject()
        return writer.bytes + Array("\n".utf8)
    }

    /// A model in the list of all.
    struct Listed: Sendable {
        let name: String
        let versions: [VersionStatus]
        var labels: [String: Int64] = [:]
    }

    /// The body of `GET /v1/models`.
    ///
    /// The labels are those of the model's configuration: gateways have to know when one moves.
    static func models(_ models: [Listed]) -> [UInt8] {
        var writer = JSONWriter(style: .protobuf)
        writer.beginObject()
        writer.key("models")
        writer.beginArray()
        for model in models {
            writer.beginObject()
            writer.key("name")
            writer.string(model.name)
            write(model.versions, to: &writer)
            writer.key("version_labels")
            writer.beginObject()
            for (label, version) in model.labels.sorted(by: { $0.key < $1.key }) {
                writer.key(label)
                writer.string(String(version))
            }
            writer.endObject()
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes + Array("\n".utf8)
    }

    private static func write(_ versions: [VersionStatus], to writer: inout JSONWriter) {
        writer.key("model_version_status")
        writer.beginArray()
        for version in versions {
            writer.beginObject()
            writer.key("version")
            writer.string(String(version.version))
            writer.key("state")
            writer.string(version.state.name)
            writer.key("status")
            writer.beginObject()
            writer.key("error_code")
            writer.string(version.error?.code.name ?? "OK")
            writer.key("error_message")
            writer.string(version.error?.message ?? "")
            writer.endObject()
            writer.endObject()
        }
        writer.endArray()
    }
}
