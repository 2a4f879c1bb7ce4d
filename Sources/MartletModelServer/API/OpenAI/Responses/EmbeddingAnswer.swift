internal import FoundationEssentials

/// The answer to a request for embeddings.
enum EmbeddingAnswer {
    /// The object `list` of embeddings, in the order of the texts.
    static func encode(
        _ embeddings: [[Float]], as encoding: EmbeddingRequest.Encoding, model: String,
        promptTokens: Int
    ) -> [UInt8] {
        var bytes = [UInt8](#"{"object":"list","data":"#.utf8)
        bytes.appendJSON(list: embeddings.enumerated()) { bytes, embedding in
            bytes.append(contentsOf: #"{"object":"embedding","index":"#.utf8)
            bytes.appendJSON(embedding.offset)
            bytes.append(contentsOf: #","embedding":"#.utf8)
            append(embedding.element, as: encoding, to: &bytes)
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(contentsOf: #","model":"#.utf8)
        bytes.appendJSON(model)
        bytes.append(contentsOf: #","usage":"#.utf8)
        TokenUsage.appendPromptOnly(promptTokens, to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private static func append(
        _ embedding: [Float], as encoding: EmbeddingRequest.Encoding, to bytes: inout [UInt8]
    ) {
        switch encoding {
        case .float: bytes.appendJSON(list: embedding) { $0.appendJSON($1) }
        case .base64:
            let words = embedding.map(\.bitPattern.littleEndian)
            let data = words.withUnsafeBytes { Data($0) }
            bytes.appendJSON(data.base64EncodedString())
        }
    }
}
