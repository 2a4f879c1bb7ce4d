internal import CLlama

/// Texts handed to the library, which stay where they are until this goes.
final class LlamaTexts {
    private var buffers: [UnsafeMutablePointer<CChar>] = []

    deinit {
        for buffer in buffers { buffer.deallocate() }
    }

    /// The library's form of a text; nothing for `nil`.
    func text(_ string: String?) -> martlet_llama_text {
        guard var string, !string.isEmpty else { return martlet_llama_text() }
        return string.withUTF8 { utf8 in
            let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: utf8.count)
            utf8.withMemoryRebound(to: CChar.self) {
                buffer.initialize(from: $0.baseAddress ?? UnsafePointer(buffer), count: $0.count)
            }
            buffers.append(buffer)
            return martlet_llama_text(bytes: buffer, count: utf8.count)
        }
    }
}

extension martlet_llama_text {
    /// A copy; what is no UTF-8 is replaced.
    var string: String {
        String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}

extension String {
    /// The text of a fixed field that a zero ends.
    init(zeroEnded field: some Any) {
        self = withUnsafeBytes(of: field) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
