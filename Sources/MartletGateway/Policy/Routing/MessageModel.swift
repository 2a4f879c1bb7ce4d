internal import Foundation
import MartletCore

/// Finds the model that a request names in its body.
enum MessageModel {
    /// The model of a request by OpenAI's API; `nil` where the body names none.
    static func model(inJSON body: [UInt8]) -> String? {
        struct Named: Decodable { var model: String }
        return try? JSONDecoder().decode(Named.self, from: Data(body)).model
    }

    /// The model of a gRPC call, by the frame that its message comes in.
    ///
    /// - Throws: `ServingError`: `UNIMPLEMENTED` for a compressed message, `INVALID_ARGUMENT` for one
    ///   that is broken, names no model, or names several.
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

    /// Calls for each field of a message that has a length (Protocol Buffers' wire format).
    private static func forEachField(
        _ message: ArraySlice<UInt8>,
        _ body: (Int, ArraySlice<UInt8>) throws(ServingError) -> Void
    ) throws(ServingError) {
        var rest = message
        while !rest.isEmpty {
            let key = try varint(&rest)
            switch key & 7 {
            case 0: _ = try varint(&rest)
            case 1: rest = try rest.behind(8)
            case 5: rest = try rest.behind(4)
            case 2:
                let length = Int(clamping: try varint(&rest))
                let behind = try rest.behind(length)
                try body(Int(clamping: key >> 3), rest[rest.startIndex..<behind.startIndex])
                rest = behind
            default: throw .invalidArgument("The message is broken")
            }
        }
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) throws(ServingError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { break }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw .invalidArgument("The message is broken")
    }
}

extension ArraySlice<UInt8> {
    /// What is left behind so many bytes.
    fileprivate func behind(_ count: Int) throws(ServingError) -> ArraySlice<UInt8> {
        guard count <= self.count else { throw .invalidArgument("The message is broken") }
        return dropFirst(count)
    }
}
