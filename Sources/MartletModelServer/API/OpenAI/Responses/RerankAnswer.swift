/// The answer to a request to rerank.
enum RerankAnswer {
    /// The documents the request asked for, the most relevant first; of equal ones the earlier.
    ///
    /// - Parameters:
    ///   - identity: the answer.
    ///   - request: the request.
    ///   - scores: the relevance of each document, in the request's order.
    ///   - promptTokens: tokens of query and documents.
    /// - Returns: the body.
    static func encode(
        _ identity: AnswerIdentity, request: RerankRequest, scores: [Float], promptTokens: Int
    ) -> [UInt8] {
        // NaN sorts last: it has no order of its own.
        let ranked = scores.map { $0.isNaN ? -.infinity : $0 }.enumerated()
            .sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
        var bytes = [UInt8](#"{"id":"#.utf8)
        bytes.appendJSON(identity.id)
        bytes.append(contentsOf: #","object":"list","model":"#.utf8)
        bytes.appendJSON(identity.model)
        bytes.append(contentsOf: #","results":"#.utf8)
        bytes.appendJSON(list: ranked.prefix(request.top)) { bytes, result in
            bytes.append(contentsOf: #"{"index":"#.utf8)
            bytes.appendJSON(result.offset)
            bytes.append(contentsOf: #","relevance_score":"#.utf8)
            bytes.appendJSON(result.element)
            if request.returnsDocuments, request.documents.indices.contains(result.offset) {
                bytes.append(contentsOf: #","document":{"text":"#.utf8)
                bytes.appendJSON(request.documents[result.offset])
                bytes.append(UInt8(ascii: "}"))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(contentsOf: #","usage":"#.utf8)
        TokenUsage.appendPromptOnly(promptTokens, to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}
