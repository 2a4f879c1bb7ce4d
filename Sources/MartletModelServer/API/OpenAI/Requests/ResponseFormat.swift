import MartletCore
import MartletTensors

/// The form that an answer must have.
enum ResponseFormat: Sendable, Equatable {
    /// Any text.
    case text

    /// A JSON object, whatever it holds.
    case jsonObject

    /// JSON that the schema allows.
    case jsonSchema(name: String, schema: JSONValue)

    /// Reads the member `response_format` of a request.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the field at fault.
    init(_ fields: RequestFields, bounds: OpenAILimits) throws {
        guard let format = try fields.fields("response_format") else {
            self = .text
            return
        }
        let type = try format.required("type", format.text("type"))
        switch type {
        case "text": self = .text
        case "json_object":
            // llama.cpp's server takes a schema here too.
            let schema = try format.schema("schema", bounds: bounds)
            self = schema.map { .jsonSchema(name: "schema", schema: $0) } ?? .jsonObject
        case "json_schema":
            let schema = try format.required("json_schema", format.fields("json_schema"))
            self = .jsonSchema(
                name: try schema.text("name", bytesMaximum: bounds.nameBytes) ?? "schema",
                schema: try schema.required("schema", schema.schema("schema", bounds: bounds)))
        default:
            throw format.wrong("type", .text(type), "'text', 'json_object' or 'json_schema'")
        }
    }
}
