internal import SwiftProtobuf

/// What is wrong with a text that the decoder refused, and where.
///
/// The decoder says only what kind of mistake it met; ``RefusedField`` finds the field. A mistake
/// in the punctuation is found without it.
struct ProtobufTextMistake {
    /// The line, counted from 1.
    let line: Int
    /// The column, in characters, counted from 1.
    let column: Int
    /// What is wrong, as a sentence.
    let reason: String

    /// Finds the mistake in a text.
    ///
    /// - Parameters:
    ///   - text: the text that was refused.
    ///   - messageName: the name of the message's type.
    ///   - decode: decodes a text as that message, or throws.
    init(text: String, messageName: String, decode: (String) throws -> Void) {
        let bytes = Array(text.utf8)
        let outline = ProtobufTextOutline(bytes)
        let offset: Int
        if let refused = RefusedField.find(in: bytes, outline: outline, decode: decode) {
            let field = outline.fields[refused.number]
            offset = refused.error == .unknownField ? field.offset : field.valueOffset
            reason = refused.reason(in: outline, messageName: messageName)
        } else {
            offset = outline.mistake?.offset ?? bytes.count
            reason = outline.mistake?.reason ?? "The text cannot be understood."
        }
        let before = bytes[..<min(offset, bytes.count)]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        line = before.count { $0 == UInt8(ascii: "\n") } + 1
        column = String(decoding: before[lineStart...], as: UTF8.self).count + 1
    }
}
