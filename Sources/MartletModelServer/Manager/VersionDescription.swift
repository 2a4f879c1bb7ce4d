import MartletCore
import MartletEngines
import MartletProtocols
import MartletRepository
import MartletTensors

/// What the files of a version say about it, whichever format it is of.
struct VersionDescription {
    let format: ModelFormat
    let tags: [String]
    let signatures: [Signature]
    let signatureDefs: [String: Tensorflow_SignatureDef]
    let fileBytes: Int
    let exampleSteps: ExampleSteps?
    private(set) var effect: String?
    /// The files of a language model; `nil` for any other.
    private(set) var language: LanguageModelFiles?

    /// Whether a folder holds a language model, and nothing that goes before it.
    static func isLanguageModel(folder: String) -> Bool {
        GGUFDescription.isPresent(in: folder) && !SavedModelDescription.isPresent(in: folder)
            && !TFLiteDescription.isPresent(in: folder) && !ONNXDescription.isPresent(in: folder)
    }

    /// Reads the description of the model in a folder.
    ///
    /// A SavedModel goes before the other formats where a folder holds several, unless options say
    /// otherwise.
    init(folder: String, options: VersionLoader.Options) throws {
        let hasSavedModel = SavedModelDescription.isPresent(in: folder)
        if TFLiteDescription.isPresent(in: folder), options.prefersTFLite || !hasSavedModel {
            let description = try TFLiteDescription(folder: folder)
            format = .tfLite
            exampleSteps = description.exampleSteps
            tags = []
            signatures = description.signatures
            signatureDefs = description.signatureDefs
            fileBytes = description.fileBytes
        } else if ONNXDescription.isPresent(in: folder), !hasSavedModel {
            let description = try ONNXDescription(folder: folder, safety: options.safety)
            format = .onnx
            exampleSteps = nil
            tags = []
            signatures = description.signatures
            signatureDefs = description.signatureDefs
            fileBytes = description.fileBytes
        } else if GGUFDescription.isPresent(in: folder), !hasSavedModel {
            let description = try GGUFDescription(folder: folder, safety: options.safety)
            format = .gguf
            exampleSteps = nil
            tags = []
            signatures = []
            signatureDefs = [:]
            fileBytes = description.fileBytes
            language = LanguageModelFiles(
                path: description.files.first ?? folder,
                adapters: try GGUFAdapters(folder: folder).paths,
                cellBytes: description.keyValueBytesPerToken,
                sizes: LanguageModelSizes(description),
                partCount: description.files.count,
                weightTypes: Set(description.tensorBytes.keys.map(\.name)))
        } else {
            let description = try SavedModelDescription(
                folder: folder, tags: options.tags, safety: options.safety)
            effect = description.effect
            format = .savedModel
            exampleSteps = nil
            tags = description.tags
            signatures = description.signatures
            signatureDefs = description.signatureDefs
            fileBytes = description.fileBytes
        }
    }

    /// Adds the smaller model that guesses for this one.
    ///
    /// - Parameters:
    ///   - path: a GGUF file, or a folder that holds one model.
    ///   - model: the name of this one.
    ///   - safety: what the draft model may do beyond computing.
    /// - Throws: `ServingError` for a file that is wrong, and a model that takes no draft model.
    mutating func addDraft(_ path: String, of model: String, safety: ModelSafety) throws {
        guard language?.sizes.embeds == false else {
            throw ServingError.invalidArgument(
                "Model \(model) has the draft model \(path) and generates no text: leave it out")
        }
        let draft =
            path.hasSuffix(".gguf")
            ? try GGUFDescription(file: path) : try GGUFDescription(folder: path, safety: safety)
        language?.draft = DraftModelFiles(
            path: draft.files.first ?? path, fileBytes: draft.fileBytes,
            cellBytes: draft.keyValueBytesPerToken, sizes: LanguageModelSizes(draft))
    }
}

extension LanguageModelSizes {
    /// What a GGUF file says of its model.
    fileprivate init(_ description: GGUFDescription) {
        self.init(
            contextTokens: description.contextLength, vocabulary: description.vocabularySize,
            embedding: description.embeddingLength, embeds: description.embeds)
    }
}
