internal import CLlama
import MartletCore

/// A model's weights, vocabulary and templates in memory; freed when nothing uses it any more.
///
/// All of it may be used by several threads at once.
public final class LlamaModel: Sendable {
    let library: LlamaLibrary
    // The weights never change; freed in deinit, after all contexts and samplers, which keep this.
    nonisolated(unsafe) let pointer: OpaquePointer

    /// What the model is.
    public let info: LlamaModelInfo

    /// Loads a GGUF file; of one in several parts, the first is named.
    ///
    /// The file should have been checked before: a hostile one may end the process.
    ///
    /// - Parameters:
    ///   - library: loads it.
    ///   - path: the file.
    ///   - options: how.
    ///   - progress: told how much is loaded, from 0 to 1; ends the loading by returning `false`.
    /// - Throws: `ServingError` with llama.cpp's reason; `CANCELLED` if `progress` ended it.
    public init(
        library: LlamaLibrary, path: String, options: LlamaModelOptions = LlamaModelOptions(),
        progress: ((Float) -> Bool)? = nil
    ) throws {
        let watched = progress.map { LlamaProgress($0) }
        let pointer = try options.withParameters(library.api.model_defaults()) { parameters in
            if let watched {
                parameters.progress = LlamaProgress.function
                parameters.progress_context = watched.context
            }
            return try library.object("load \(path)") { model, error in
                library.api.model_load(path, &parameters, model, error)
            }
        }
        withExtendedLifetime(watched) {}
        var info = martlet_llama_model_info()
        library.api.model_info(pointer, &info)
        self.library = library
        self.pointer = pointer
        self.info = LlamaModelInfo(info, summary: LlamaModel.summary(library, pointer))
    }

    deinit { library.api.model_free(pointer) }

    private static func summary(_ library: LlamaLibrary, _ pointer: OpaquePointer) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        let count = library.api.model_description(pointer, &buffer, buffer.count)
        let bytes = buffer.prefix(count).map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A value of the file's metadata that is no list, as text, such as `general.name`.
    public func metadata(_ key: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 256)
        var count = library.api.model_metadata(pointer, key, &buffer, buffer.count)
        if count > buffer.count {
            buffer = [CChar](repeating: 0, count: Int(count))
            count = library.api.model_metadata(pointer, key, &buffer, buffer.count)
        }
        guard count >= 0 else { return nil }
        let bytes = buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
