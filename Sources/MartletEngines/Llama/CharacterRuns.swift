/// Looks for long runs of characters of one kind in a text.
///
/// llama.cpp divides a text into words by regular expressions. For many vocabularies it has the
/// library of C++ do that, which recurses once for each character of a word: some 20,000 letters,
/// spaces or marks in a row end the process.
enum CharacterRuns {
    /// Longer ones are refused where they would be such words.
    static let most: Int32 = 4096

    /// Vocabularies whose words are found without recursion (`tokenizer.ggml.pre`).
    static let safeVocabularies: Set<String> = [
        "deepseek-r1-qwen", "falcon3", "gpt-2", "llama-bpe", "llama-v3", "llama3", "phi-2", "qwen2",
        "smollm",
    ]

    /// Whether a run of some kind is longer than that.
    static func areLong(in text: String) -> Bool {
        guard text.utf8.count > Int(most) else { return false }
        var runs = SIMD8<Int32>.zero
        for scalar in text.unicodeScalars {
            runs = (runs &+ 1) &* kinds(of: scalar)
            if runs.max() > most { return true }
        }
        return false
    }

    // The classes of such expressions, as widely as they are drawn: they overlap.
    private static let spaces = SIMD8<Int32>(1, 0, 0, 0, 0, 0, 0, 0)
    private static let numbers = SIMD8<Int32>(0, 1, 0, 0, 0, 0, 0, 0)
    private static let letters = SIMD8<Int32>(0, 0, 1, 0, 0, 0, 0, 0)
    private static let others = SIMD8<Int32>(0, 0, 0, 1, 0, 0, 0, 0)
    /// Letters of ASCII and all that are no letters.
    private static let mixed = SIMD8<Int32>(0, 0, 0, 0, 1, 0, 0, 0)

    private static func kinds(of scalar: Unicode.Scalar) -> SIMD8<Int32> {
        switch scalar.value {
        case 9...13, 32: return spaces
        case 48...57: return numbers
        case 65...90, 97...122: return letters | mixed
        case 0..<128: return others | mixed
        default: break
        }
        if scalar.properties.isWhitespace { return spaces }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            return letters
        case .nonspacingMark, .spacingMark, .enclosingMark: return letters | others
        case .decimalNumber, .letterNumber, .otherNumber: return numbers
        default: return others | mixed
        }
    }
}
