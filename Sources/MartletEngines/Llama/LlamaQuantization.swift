internal import CLlama
import MartletCore

/// A type of weights that models are written in.
public enum LlamaQuantization: String, Sendable, CaseIterable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case q8_0 = "Q8_0"
    case q6K = "Q6_K"
    case q5_0 = "Q5_0"
    case q5_1 = "Q5_1"
    case q5KSmall = "Q5_K_S"
    case q5KMedium = "Q5_K_M"
    case q4_0 = "Q4_0"
    case q4_1 = "Q4_1"
    case q4KSmall = "Q4_K_S"
    case q4KMedium = "Q4_K_M"
    case iq4NL = "IQ4_NL"
    case iq4XS = "IQ4_XS"
    case q3KSmall = "Q3_K_S"
    case q3KMedium = "Q3_K_M"
    case q3KLarge = "Q3_K_L"
    case q2K = "Q2_K"

    /// llama.cpp's number for it, as ``LlamaModelInfo/fileType`` gives it.
    public var fileType: Int {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q8_0: 7
        case .q5_0: 8
        case .q5_1: 9
        case .q2K: 10
        case .q3KSmall: 11
        case .q3KMedium: 12
        case .q3KLarge: 13
        case .q4KSmall: 14
        case .q4KMedium: 15
        case .q5KSmall: 16
        case .q5KMedium: 17
        case .q6K: 18
        case .iq4NL: 25
        case .iq4XS: 30
        case .bf16: 32
        }
    }

    /// Whether processors have no fast kernel for it; ``costOnProcessors`` tells what that costs.
    public var isSlowOnProcessors: Bool { costOnProcessors != nil }

    /// The type of a number; `nil` for one that is none of these.
    public init?(fileType: Int) {
        guard let found = Self.allCases.first(where: { $0.fileType == fileType }) else {
            return nil
        }
        self = found
    }
}

extension LlamaLibrary {
    /// Writes a model in another type.
    ///
    /// The target appears when it is complete, or not at all.
    ///
    /// - Parameters:
    ///   - source: a GGUF file, best of 16 or 32 bits.
    ///   - target: the file to make, or to replace.
    ///   - type: what its weights are written in.
    ///   - threads: how many compute; `nil` for one per core.
    ///   - allowsRequantizing: whether the source may be quantised already, which loses more.
    ///   - isPure: whether all weights get the one type, where some should be more exact.
    ///   - progress: told how much is done, from 0 to 1; ends it by returning `false`.
    /// - Throws: `ServingError` with llama.cpp's reason; `CANCELLED` if `progress` ended it.
    public func quantize(
        _ source: String, to target: String, as type: LlamaQuantization, threads: Int? = nil,
        allowsRequantizing: Bool = false, isPure: Bool = false,
        progress: ((Float) -> Bool)? = nil
    ) throws {
        let watched = LlamaProgress(progress ?? { _ in true })
        defer { withExtendedLifetime(watched) {} }
        var settings = martlet_llama_quantization(
            file_type: Int32(type.fileType), threads: Int32(clamping: threads ?? 0),
            allows_requantizing: allowsRequantizing, is_pure: isPure,
            progress: LlamaProgress.function, progress_context: watched.context)
        try check("write \(source) as \(type.rawValue)") {
            api.quantize(source, target, &settings, $0)
        }
    }
}
