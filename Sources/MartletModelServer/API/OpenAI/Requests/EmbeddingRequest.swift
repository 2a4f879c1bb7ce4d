import MartletCore
import MartletTensors

/// A request for embeddings (`POST /v1/embeddings`).
struct EmbeddingRequest: Sendable, Equatable {
    /// How the numbers of an embedding are written; raw values are the API's.
    enum Encoding: String, Sendable {
        /// As a list of numbers.
        case float
        /// As base64 of their 32-bit little-endian form.
        case base64
    }

    /// The model's name.
    var model: String

    /// The texts, at least one; each has an embedding in the answer, in this order.
    var inputs: [TextInput]

    /// How to write the embeddings.
    var encoding: Encoding

    /// The length to cut the embeddings to; `nil` for the model's own.
    var dimensions: Int?

    /// The end user the request is made for.
    var user: String?

    /// Decodes a request.
    ///
    /// - Parameters:
    ///   - bytes: the body.
    ///   - limits: bounds on JSON.
    ///   - bounds: bounds of this API.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names field, value and remedy.
    init(decoding bytes: [UInt8], limits: Limits, bounds: OpenAILimits = OpenAILimits()) throws {
        let fields = try RequestFields(parsing: bytes, limits: limits)
        model = try RequestFields.model(fields, bounds: bounds)
        inputs = try TextInput.list(
            "input", in: fields, countMaximum: bounds.embeddingInputs, bounds: bounds)
        let format = try fields.text("encoding_format") ?? Encoding.float.rawValue
        guard let encoding = Encoding(rawValue: format) else {
            throw fields.wrong("encoding_format", .text(format), "'float' or 'base64'")
        }
        self.encoding = encoding
        dimensions = try fields.whole("dimensions", in: 1...Int64(Int32.max)).map(Int.init)
        user = try fields.text("user", bytesMaximum: bounds.nameBytes)
    }
}
