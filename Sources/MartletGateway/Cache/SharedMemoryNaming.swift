/// Tells predictions whose tensors lie in shared memory by what they say.
///
/// They say only where the tensors lie: two that are the same may be about different elements, and
/// an answer that was given before would leave its place unwritten. Source: the Open Inference
/// Protocol's extension `system_shared_memory`.
enum SharedMemoryNaming {
    /// What the names of such parameters begin with.
    private static let prefix = "shared_memory"

    /// Whether a parameter of a tensor, by its name, says where it lies.
    static func isPlace(_ name: [UInt8]) -> Bool { name.starts(with: prefix.utf8) }

    /// Whether a JSON text may have such a parameter.
    ///
    /// ASCII may be spelled by escapes that begin with `\u00`, so what has one may be anything.
    static func mayBe(inJSON text: [UInt8]) -> Bool {
        let prefix = Array(prefix.utf8)
        let escape = Array("\\u00".utf8)
        return text.withUnsafeBufferPointer { bytes in
            bytes.indices.contains { index in
                switch bytes[index] {
                case prefix[0]: bytes[index...].starts(with: prefix)
                case escape[0]: bytes[index...].starts(with: escape)
                default: false
                }
            }
        }
    }
}
