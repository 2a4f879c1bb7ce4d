internal import CLlama
import MartletCore

/// A LoRA adapter: small changes to a model's weights (Hu et al., "LoRA", 2021).
public final class LlamaAdapter: Sendable {
    private let model: LlamaModel
    // Never changes; freed in deinit. The model, which keeps it too, outlives it.
    nonisolated(unsafe) let pointer: OpaquePointer

    /// Loads an adapter from a GGUF file.
    ///
    /// It must live for as long as a context applies it.
    ///
    /// - Throws: `ServingError` (`INTERNAL`) with llama.cpp's reason, as for another model's.
    public init(model: LlamaModel, path: String) throws {
        self.model = model
        pointer = try model.library.object("load the adapter \(path)") {
            model.library.api.adapter_load(model.pointer, path, $0, $1)
        }
    }

    deinit { model.library.api.adapter_free(pointer) }
}
