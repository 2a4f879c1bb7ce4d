internal import COpenVINO
internal import Foundation
import MartletCore
public import MartletTensors

/// Loads SavedModels, ONNX and TFLite models through OpenVINO's C API.
///
/// It knows neither strings nor all operations; a load that fails for that is `UNIMPLEMENTED` or
/// `INVALID_ARGUMENT`, and another engine may yet serve the model.
public struct OpenVINOEngine: Engine {
    /// How the engine runs models.
    public struct Options: Sendable, Equatable {
        /// Requests of a model that run at once, each in one thread; `nil` for one per core.
        public var threads: Int?

        /// The defaults.
        public init() {}
    }

    /// Gives the file of a SavedModel that holds one graph and one signature, `serving_default`,
    /// and nothing where the folder's own file is that already.
    ///
    /// Its parameters are the folder, the tags of the graph and the signature.
    public typealias SignatureExtract =
        @Sendable (_ folder: String, _ tags: [String], _ signature: Signature) throws -> [UInt8]?

    /// Most signatures of a model: each is compiled by itself, with the weights it uses.
    public static let maximumSignatures = 8

    /// The name of the engine.
    public let name = "openvino"

    /// Whether the processor has 16-bit arithmetic.
    public var hasFastPrecision: Bool { library.hasFastPrecision }

    private let library: OpenVINOLibrary
    private let options: Options
    private let extract: SignatureExtract

    /// Creates an engine over an opened library.
    ///
    /// - Parameters:
    ///   - library: the library.
    ///   - options: how models run.
    ///   - extract: takes a signature out of a SavedModel that has several.
    public init(
        library: OpenVINOLibrary, options: Options = Options(), extract: @escaping SignatureExtract
    ) {
        self.library = library
        self.options = options
        self.extract = extract
    }

    /// Loads a version; see ``Engine/load(_:)``.
    ///
    /// The files must have passed the description of their format in `MartletRepository`.
    public func load(_ artifact: ModelArtifact) throws -> any Servable {
        try requireServable(artifact)
        let before = ResidentMemory.bytes()
        let source = OpenVINOSource(artifact: artifact, extract: extract)
        // A program that is let go frees what it holds: so does a load that fails half-way.
        let programs = try artifact.signatures.map { signature in
            try source.withModelPath(of: signature) { path in
                try OpenVINOProgram(
                    library: library, compiled: compile(path, artifact), signature: signature,
                    names: source.portName)
            }
        }
        let measured = ResidentMemory.bytes() - before
        return OpenVINOServable(
            artifact: artifact, programs: programs, memoryBytes: max(measured, artifact.fileBytes))
    }

    /// Refuses early, before anything is read, what is known not to work.
    private func requireServable(_ artifact: ModelArtifact) throws {
        let count = artifact.signatures.count
        guard count <= OpenVINOEngine.maximumSignatures else {
            throw ServingError(
                .unimplemented,
                "The model has \(count) signatures; OpenVINO's limit is "
                    + "\(OpenVINOEngine.maximumSignatures)")
        }
        guard artifact.format != .tfLite || count == 1 else {
            throw ServingError(
                .unimplemented, "OpenVINO reads one signature of a TFLite model; this has \(count)")
        }
        guard artifact.exampleSteps == nil else {
            throw ServingError(.unimplemented, "OpenVINO cannot parse examples")
        }
        for signature in artifact.signatures {
            let odd = (signature.inputs + signature.outputs).first {
                OpenVINOElement.number($0.dtype) == nil
            }
            guard let odd else { continue }
            throw ServingError(
                .unimplemented,
                "OpenVINO cannot serve tensor '\(odd.name)' of type \(odd.dtype.name) "
                    + "(signature '\(signature.name)')")
        }
    }

    private func compile(_ path: String, _ artifact: ModelArtifact) throws -> OpaquePointer {
        let model = try library.object(as: .invalidArgument, "read \(artifact.path)") {
            library.api.core_read_model(library.core, path, nil, $0)
        }
        defer { library.api.model_free(model) }
        return try withSettings(of: artifact) { settings in
            try library.object(as: .invalidArgument, "compile \(artifact.path)") {
                library.api.core_compile_model_props(
                    library.core, model, OpenVINODevice.processor, settings.count,
                    settings.baseAddress, $0)
            }
        }
    }

    private func withSettings<Result>(
        of artifact: ModelArtifact,
        _ body: (UnsafeBufferPointer<martlet_ov_property>) throws -> Result
    ) throws -> Result {
        var settings = [
            "PERFORMANCE_HINT": "THROUGHPUT",
            // Else the processor's fastest type is taken, which is far off for some models.
            "INFERENCE_PRECISION_HINT": artifact.precision == .fast ? "bf16" : "f32",
            // Event loops and other engines' threads run on the same cores.
            "ENABLE_CPU_PINNING": "NO",
        ]
        if artifact.precision == .exact { settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "0" }
        if let threads = options.threads {
            settings["NUM_STREAMS"] = "\(threads)"
            settings["INFERENCE_NUM_THREADS"] = "\(threads)"
        }
        let strings = settings.flatMap { [strdup($0.key), strdup($0.value)] }
        defer { for string in strings { free(string) } }
        let properties = stride(from: 0, to: strings.count, by: 2).map {
            martlet_ov_property(
                key: UnsafePointer(strings[$0]), value: UnsafeRawPointer(strings[$0 + 1]))
        }
        return try properties.withUnsafeBufferPointer(body)
    }
}
