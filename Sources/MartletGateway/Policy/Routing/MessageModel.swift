internal import Foundation
import MartletCore

/// Finds the model that a request names in its body.
enum MessageModel {
    /// The model of a request by OpenAI's API; `nil` where the body names none, or names one twice:
    /// some readers take the first, and others the last.
    static func model(inJSON body: [UInt8]) -> String? {
        struct Named: Decodable { var model: String }
        guard isNamedOnce(in: body) else { return nil }
        return try? JSONDecoder().decode(Named.self, from: Data(body)).model
    }

    /// Whether exactly one of the outermost members is called `model`, with escapes or without.
    private static func isNamedOnce(in body: [UInt8]) -> Bool {
        // As deep as the decoder goes.
        var walk = JSONWalk(body, depthMax: 512)
        guard case .open(true, _)? = walk.next() else { return false }
        var count = 0
        while let event = walk.next() {
            switch event {
            case .name(let name):
                guard let value = walk.next(), walk.skip(value) != nil else { return false }
                if isModel(body[name.range]) { count += 1 }
            case .close: continue
            case .end: return count == 1
            case .open, .scalar: return false
            }
        }
        return false
    }

    private static func isModel(_ token: ArraySlice<UInt8>) -> Bool {
        guard token.contains(UInt8(ascii: "\\")) else {
            return token.elementsEqual("\"model\"".utf8)
        }
        return (try? JSONDecoder().decode(String.self, from: Data(token))) == "model"
    }

    /// The same in one pass, for requests that are routed by nothing else.
    static func model(ofCompletion body: [UInt8]) -> String? {
        // What that leaves to others, such as a name with escapes, is seldom.
        CompletionRequest(body)?.model ?? model(inJSON: body)
    }

    /// The model of a gRPC call, by the frame that its message comes in.
    ///
    /// - Throws: `ServingError`: `UNIMPLEMENTED` for a compressed message, `INVALID_ARGUMENT` for
    ///   one that is broken, names no model, or names several.
    static func model(inCall path: String, frame: [UInt8]) throws(ServingError) -> String {
        guard frame.count >= 5 else { throw .invalidArgument("The call has no message") }
        guard frame[0] == 0 else {
            throw ServingError(
                .unimplemented,
                "This call is routed by its model, which cannot be read out of a compressed message"
            )
        }
        let message = frame.dropFirst(5)
        let isNested = path.utf8.starts(with: "/tensorflow.serving.".utf8)
        let field = path.hasPrefix(openInferenceRepository) ? 2 : 1
        var names: Set<String> = []
        try forEachField(message) { (number, bytes) throws(ServingError) in
            guard number == field else { return }
            guard isNested else {
                names = [String(decoding: bytes, as: UTF8.self)]
                return
            }
            // MultiInference has a list of tasks, each with a specification of its own.
            if path.hasSuffix("/MultiInference") {
                try forEachField(bytes) { (number, bytes) throws(ServingError) in
                    if number == 1, let name = try name(inSpecification: bytes) {
                        names.insert(name)
                    }
                }
            } else if let name = try name(inSpecification: bytes) {
                names = [name]
            }
        }
        guard let name = names.first, !name.isEmpty else {
            throw .invalidArgument("The message names no model")
        }
        guard names.count == 1 else {
            throw .invalidArgument("The message names several models; this gateway routes by model")
        }
        return name
    }

    private static let openInferenceRepository = "/inference.GRPCInferenceService/RepositoryModel"

    private static func name(
        inSpecification bytes: ArraySlice<UInt8>
    ) throws(ServingError) -> String? {
        var name: String?
        try forEachField(bytes) { (number, bytes) throws(ServingError) in
            if number == 1 { name = String(decoding: bytes, as: UTF8.self) }
        }
        return name
    }

    /// Calls for each field of a message that has a length.
    private static func forEachField(
        _ message: ArraySlice<UInt8>,
        _ body: (Int, ArraySlice<UInt8>) throws(ServingError) -> Void
    ) throws(ServingError) {
        var fields = ProtobufFields(message)
        while let field = try fields.next() {
            if case .bytes(let bytes) = field.value { try body(field.number, bytes) }
        }
    }
}
