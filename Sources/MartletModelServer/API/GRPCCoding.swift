import MartletCore
import MartletTransport
internal import SwiftProtobuf

/// Between gRPC messages and their bytes, with errors for clients.
enum GRPCCoding {
    /// The message of a call, whose parts are not so many that they would take more than twice the
    /// bytes of the largest message.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    static func decode<Request: OutlinedRequest>(
        _ call: GRPCCall, within limits: Limits
    ) throws -> Request {
        let weightMax = min(limits.messageBytes, Int.max / 2) * 2
        guard !MessageWeight.exceeds(weightMax, call.message, Request.outline) else {
            throw ServingError.invalidArgument(
                "The message is made of so many parts that they need more than \(weightMax) bytes, "
                    + "twice the limit set by --max-message-bytes")
        }
        return try decode(call)
    }

    /// The message of a call.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    static func decode<Request: Message>(_ call: GRPCCall) throws -> Request {
        guard !MessageFields.exceed(MessageFields.requestMax, in: call.message) else {
            throw ServingError.invalidArgument(
                "The message has more than \(MessageFields.requestMax) fields of its own, which no "
                    + "\(Request.protoMessageName) needs")
        }
        do {
            return try Request(serializedBytes: call.message)
        } catch {
            throw ServingError(
                .invalidArgument,
                "The message cannot be read as \(Request.protoMessageName)", cause: error)
        }
    }

    /// The bytes of a message.
    ///
    /// - Throws: `ServingError` (`INTERNAL`).
    static func encode(_ response: some Message) throws -> [UInt8] {
        do {
            return try response.serializedBytes()
        } catch {
            throw ServingError(.internal, "The response cannot be encoded: \(error)", cause: error)
        }
    }
}
