import MartletCore
import MartletTensors

/// A request to order documents by their relevance to a query (`POST /v1/rerank`), in the form
/// that Jina's and Cohere's APIs share.
struct RerankRequest: Sendable, Equatable {
    /// The model's name.
    var model: String

    /// What the documents are compared with.
    var query: String

    /// The documents, at least one.
    var documents: [String]

    /// How many of the most relevant the answer has, at most the number of documents.
    var top: Int

    /// Whether the answer repeats the documents' texts.
    var returnsDocuments: Bool

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
        query = try fields.required("query", fields.text("query"))
        guard !query.isEmpty else { throw fields.wrong("query", .text(""), "not empty") }
        let elements = try fields.required(
            "documents", fields.list("documents", countMaximum: bounds.documents))
        guard !elements.isEmpty else {
            throw ServingError.invalidField(
                "documents", .emptyList, "'documents' is an empty list; give at least one")
        }
        documents = try elements.enumerated().map { index, element in
            if case .text(let text) = element { return text }
            let document = try RequestFields(element, at: "documents[\(index)]")
            return try document.required("text", document.text("text"))
        }
        let top = try fields.whole("top_n", in: 1...Int64(Int32.max))
        self.top = min(documents.count, top.map(Int.init) ?? documents.count)
        returnsDocuments = try fields.flag("return_documents") ?? false
    }
}
