import MartletCore
import MartletTensors

@testable import MartletModelServer

/// Bodies, errors and values that the tests of OpenAI's API share.
enum OpenAISupport {
    /// A request's body: members that every request needs, then those of the test.
    static func body(_ base: String, _ members: String) -> [UInt8] {
        Array("{\(base)\(members.isEmpty ? "" : ", ")\(members)}".utf8)
    }

    /// What a failed call says; `nil` when it did not fail, or not with the one error.
    static func failure(_ call: () throws -> Void) -> ServingError? {
        do {
            try call()
            return nil
        } catch {
            return error as? ServingError
        }
    }

    /// The field that an error blames.
    static func param(_ error: ServingError?) -> String? {
        (error?.cause as? OpenAIErrorDetail)?.param
    }

    /// The code that an error has for programs.
    static func code(_ error: ServingError?) -> String? {
        (error?.cause as? OpenAIErrorDetail)?.code
    }

    /// Parses what was written.
    static func parse(_ bytes: [UInt8]) throws -> JSONValue {
        try JSONValue(parsing: bytes, limits: Limits())
    }

    /// The JSON of each event of a stream, in order; the text `[DONE]` for its end.
    static func events(_ bytes: [UInt8]) throws -> [JSONValue] {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasSuffix("\n\n") else { throw ServingError.invalidArgument("cut off") }
        return try text.split(separator: "\n\n").map { frame in
            guard frame.hasPrefix("data: "), !frame.contains("\n") else {
                throw ServingError.invalidArgument("no frame: \(frame)")
            }
            let json = frame.dropFirst(6)
            return json == "[DONE]" ? .text("[DONE]") : try parse(Array(json.utf8))
        }
    }

    /// An identity that is always the same.
    static func identity(
        _ kind: AnswerIdentity.Kind = .chat, model: String = "m"
    ) -> AnswerIdentity {
        var random = Zeros()
        return AnswerIdentity(kind, created: 7, model: model, using: &random)
    }

    private struct Zeros: RandomNumberGenerator {
        mutating func next() -> UInt64 { 0 }
    }
}

extension JSONValue {
    /// The text that it is.
    var string: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    /// A value inside, by names of members and indices of elements, such as `choices.0.text`.
    func at(_ path: String) -> JSONValue? {
        var value = self
        for step in path.split(separator: ".") {
            switch value {
            case .object(let members):
                guard let member = members.first(where: { $0.name == step }) else { return nil }
                value = member.value
            case .list(let elements):
                guard let index = Int(step), elements.indices.contains(index) else { return nil }
                value = elements[index]
            default: return nil
            }
        }
        return value
    }
}
