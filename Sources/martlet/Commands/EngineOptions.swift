import ArgumentParser
import MartletEngines

/// Flags that say which engine runs which model, and how exactly.
struct EngineOptions: ParsableArguments {
    @Option(
        name: .customLong("engine"),
        help: ArgumentHelp(
            "Which engine runs models, or the model NAME: "
                + "\(EnginePreference.allNames.joined(separator: ", ")). 'auto' loads a version in "
                + "TensorFlow and OpenVINO (GGUF: llama.cpp and OpenVINO GenAI), compares their "
                + "answers and times, and keeps the better; 'auto-both' keeps both engines of a "
                + "GGUF model where that is faster; may be repeated.",
            valueName: "[NAME=]engine"))
    var engines: [String] = []

    @Option(
        name: .customLong("precision"),
        help: ArgumentHelp(
            "How exactly models, or the model NAME, are run: exact, or fast for 16-bit numbers "
                + "where the processor has them and the answers stay close; may be repeated.",
            valueName: "[NAME=]precision"))
    var precisions: [String] = []

    @Option(
        name: .customLong("expected-concurrency"),
        help: ArgumentHelp(
            "Sequences that clients will have language models, or the model NAME, generate at "
                + "once: 'auto' keeps the engine that is faster with so many (default: "
                + "\(LanguageModelTrial.usualConcurrency)); may be repeated.",
            valueName: "[NAME=]n"))
    var expectedConcurrencies: [String] = []

    @Option(help: "Folder with OpenVINO's libraries.")
    var openvinoPath: String?

    func validate() throws {
        _ = try settings
    }

    /// What the flags say.
    var settings: EngineSettings {
        get throws {
            try EngineSettings(
                engines: engines, precisions: precisions,
                expectedConcurrencies: expectedConcurrencies)
        }
    }
}

extension EngineSettings {
    /// Reads the values of `--engine`, `--precision` and `--expected-concurrency`.
    ///
    /// - Throws: `ValidationError` that names the value.
    init(
        engines: [String], precisions: [String], expectedConcurrencies: [String] = []
    ) throws {
        self.init()
        for text in engines {
            let (model, value) = Self.split(text)
            guard let preference = EnginePreference(text: value) else {
                throw ValidationError(
                    "--engine \(text): there is no engine '\(value)'; use "
                        + EnginePreference.allNames.joined(separator: ", "))
            }
            if let model { preferences[model] = preference } else { self.preference = preference }
        }
        for text in precisions {
            let (model, value) = Self.split(text)
            guard let precision = EnginePrecision(rawValue: value) else {
                throw ValidationError(
                    "--precision \(text): there is no precision '\(value)'; use "
                        + EnginePrecision.allCases.map(\.rawValue).joined(separator: ", "))
            }
            if let model { self.precisions[model] = precision } else { self.precision = precision }
        }
        for text in expectedConcurrencies {
            let (model, value) = Self.split(text)
            let range = Self.concurrencyRange
            guard let count = Int(value), range.contains(count) else {
                throw ValidationError(
                    "--expected-concurrency \(text): '\(value)' is no number of sequences; use "
                        + "\(range.lowerBound) to \(range.upperBound)")
            }
            if let model { concurrencies[model] = count } else { concurrency = count }
        }
    }

    /// The model and the value of `NAME=VALUE`; only a value where there is no name.
    private static func split(_ text: String) -> (model: String?, value: String) {
        guard let sign = text.lastIndex(of: "="), sign != text.startIndex else {
            return (nil, text)
        }
        return (String(text[..<sign]), String(text[text.index(after: sign)...]))
    }
}
