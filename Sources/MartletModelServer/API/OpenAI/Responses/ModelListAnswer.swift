/// A model as `GET /v1/models` lists it.
struct ListedModel: Sendable, Equatable {
    /// The name that requests give.
    var id: String

    /// When it was loaded, in whole seconds since 1970.
    var created: Int

    /// Tokens its context holds, under vLLM's name `max_model_len`; `nil` if it has none.
    var contextTokens: Int?

    /// The model of an adapter, under vLLM's name `parent`; `nil` for a model.
    var parent: String?

    /// The object `model`.
    var json: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// The object `list` of models.
    static func list(_ models: [ListedModel]) -> [UInt8] {
        var bytes = [UInt8](#"{"object":"list","data":"#.utf8)
        bytes.appendJSON(list: models) { $1.append(to: &$0) }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private func append(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"id":"#.utf8)
        bytes.appendJSON(id)
        bytes.append(contentsOf: #","object":"model","created":"#.utf8)
        bytes.appendJSON(created)
        bytes.append(contentsOf: #","owned_by":"martlet""#.utf8)
        if let contextTokens {
            bytes.append(contentsOf: #","max_model_len":"#.utf8)
            bytes.appendJSON(contextTokens)
        }
        if let parent {
            bytes.append(contentsOf: #","parent":"#.utf8)
            bytes.appendJSON(parent)
        }
        bytes.append(UInt8(ascii: "}"))
    }
}
