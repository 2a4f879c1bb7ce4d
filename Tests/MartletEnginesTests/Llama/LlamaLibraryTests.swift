import Foundation
import MartletCore
import MartletEngines
import Synchronization
import Testing

@Suite("llama.cpp library")
struct LlamaLibraryTests {
    @Test func library_thatIsNotThere_isUnavailableWithTheRemedy() {
        for directory in ["/does/not/exist", "", String(repeating: "a", count: 5000)] {
            let error = #expect(throws: ServingError.self) {
                try LlamaLibrary(directory: directory)
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("scripts/setup.sh llama") == true)
            #expect(error?.message.contains("--llama-path") == true)
        }
    }

    @Test func library_thatIsAnother_isUnavailable() throws {
        let folder = NSTemporaryDirectory() + "martlet-library-\(UUID().uuidString)"
        let files = FileManager.default
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? files.removeItem(atPath: folder) }
        let file = URL(fileURLWithPath: "\(folder)/libmartlet_llama.so")
        try Data("no library".utf8).write(to: file)
        let error = #expect(throws: ServingError.self) { try LlamaLibrary(directory: folder) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("libmartlet_llama.so") == true)
    }

    @Test func locate_prefersWhatItIsGiven() throws {
        #expect(try LlamaLibrary.locate(preferred: "/mine") == "/mine")
    }

    @Test func quantizations_areFoundByTheirNumber() {
        for type in LlamaQuantization.allCases {
            #expect(LlamaQuantization(fileType: type.fileType) == type)
        }
        #expect(LlamaQuantization(fileType: 1024) == nil)
        #expect(LlamaQuantization.q4_1.isSlowOnProcessors)
        #expect(!LlamaQuantization.q4_0.isSlowOnProcessors)
    }
}

extension EngineTests {
    /// Serial, because each takes all cores.
    @Suite("llama.cpp models", .serialized)
    struct LlamaModelTests {
        @Test func library_tellsItsVersionAndTheProcessor() throws {
            let library = try LlamaFixture.library.get()
            #expect(library.version.split(separator: ".").count >= 3)
            #expect(library.devices.contains { $0.kind == .processor })
            #expect(library.systemInfo.contains("CPU"))
        }

        @Test func model_tellsWhatItIs() throws {
            let model = try LlamaFixture.model.get()
            #expect(model.info.vocabularySize == 49_152)
            #expect(model.info.layers == 30)
            #expect(model.info.parameterCount == 134_515_008)
            #expect(model.info.hasDecoder)
            #expect(!model.info.isRecurrent)
            #expect(model.info.fileType == LlamaQuantization.q4_0.fileType)
            #expect(model.info.summary.contains("Q4_0"))
            #expect(model.metadata("general.architecture") == "llama")
            #expect(model.metadata("no.such.key") == nil)
            #expect(model.chatTemplate?.contains("<|im_start|>") == true)
        }

        @Test func text_goesToTokensAndBack() throws {
            let model = try LlamaFixture.model.get()
            let long = String(repeating: "a ", count: 9000)
            for text in ["Hello, world", "", "Größe: 5 €, \u{1F600}", long] {
                let tokens = try LlamaFixture.tokens(text)
                #expect(try LlamaFixture.text(tokens) == text)
                var bytes: [UInt8] = []
                for token in tokens { model.append(bytesOf: token, to: &bytes) }
                #expect(String(decoding: bytes, as: UTF8.self) == text)
            }
        }

        @Test func specialTokens_areReadOnlyWhereAllowed() throws {
            let model = try LlamaFixture.model.get()
            let read = try model.tokenize("<|im_end|>", addsSpecial: false, readsSpecial: true)
            #expect(read.count == 1)
            #expect(model.ends(read[0]))
            #expect(model.isControl(read[0]))
            let plain = try model.tokenize("<|im_end|>", addsSpecial: false, readsSpecial: false)
            #expect(plain.count > 1)
            #expect(String(decoding: try model.detokenize(plain), as: UTF8.self) == "<|im_end|>")
        }

        @Test func tokensTheModelHasNot_areRefused() throws {
            let model = try LlamaFixture.model.get()
            for token: Int32 in [-1, 49_152, .max, .min] {
                #expect(throws: ServingError.self) { try model.detokenize([token]) }
                var bytes: [UInt8] = []
                model.append(bytesOf: token, to: &bytes)
                #expect(bytes.isEmpty)
                #expect(!model.ends(token))
            }
        }

        @Test func filesThatAreNoModels_areRefused() throws {
            let library = try LlamaFixture.library.get()
            let file = NSTemporaryDirectory() + "martlet-\(UUID().uuidString).gguf"
            try Data("GGUF and no more".utf8).write(to: URL(fileURLWithPath: file))
            defer { try? FileManager.default.removeItem(atPath: file) }
            for path in [file, "/does/not/exist.gguf", "/"] {
                let error = #expect(throws: ServingError.self) {
                    try LlamaModel(library: library, path: path)
                }
                #expect(error?.code == .internal)
                #expect(error?.message.contains(path) == true)
            }
        }

        @Test func loading_tellsItsProgressAndCanBeEnded() throws {
            let library = try LlamaFixture.library.get()
            var steps: [Float] = []
            let error = #expect(throws: ServingError.self) {
                try LlamaModel(library: library, path: LlamaFixture.path) { done in
                    steps.append(done)
                    return steps.count < 3
                }
            }
            #expect(error?.code == .cancelled)
            #expect(steps.count == 3)
        }

        @Test func vocabulary_loadsWithoutWeights() throws {
            var options = LlamaModelOptions()
            options.isVocabularyOnly = true
            let model = try LlamaModel(
                library: try LlamaFixture.library.get(), path: LlamaFixture.path, options: options)
            #expect(
                try model.tokenize("Hello", addsSpecial: false, readsSpecial: false)
                    == LlamaFixture.tokens("Hello"))
            #expect(model.info.layers == 0)
            let error = #expect(throws: ServingError.self) {
                try LlamaContext(model: model, options: LlamaContextOptions())
            }
            #expect(error?.code == .invalidArgument)
        }

        @Test func log_takesWhatIsGraveEnough() throws {
            let library = try LlamaFixture.library.get()
            let lines = LineRecorder()
            library.takeLog(from: .error) { level, line in lines.add(level, line) }
            defer { library.takeLog(from: .error) { _, _ in } }
            _ = try? LlamaModel(library: library, path: "/does/not/exist.gguf")
            #expect(!lines.all.isEmpty)
            #expect(lines.all.allSatisfy { $0.0 == .error && !$0.1.hasSuffix("\n") })
        }

        @Test func quantizing_writesAModelOfTheTypeAndCanBeEnded() throws {
            let library = try LlamaFixture.library.get()
            let target = NSTemporaryDirectory() + "martlet-\(UUID().uuidString).gguf"
            defer { try? FileManager.default.removeItem(atPath: target) }
            let error = #expect(throws: ServingError.self) {
                try library.quantize(
                    LlamaFixture.path, to: target, as: .q8_0, allowsRequantizing: true
                ) { $0 < 0.1 }
            }
            #expect(error?.code == .cancelled)
            #expect(!FileManager.default.fileExists(atPath: target))
            #expect(!FileManager.default.fileExists(atPath: target + ".partial"))

            var last: Float = 0
            try library.quantize(
                LlamaFixture.path, to: target, as: .q8_0, allowsRequantizing: true
            ) { done in
                #expect(done >= last)
                last = done
                return true
            }
            #expect(last == 1)
            let model = try LlamaModel(library: library, path: target)
            #expect(model.info.fileType == LlamaQuantization.q8_0.fileType)
        }

        @Test func quantizing_whatIsQuantisedAlready_mustBeAllowed() throws {
            let library = try LlamaFixture.library.get()
            let target = NSTemporaryDirectory() + "martlet-\(UUID().uuidString).gguf"
            let error = #expect(throws: ServingError.self) {
                try library.quantize(LlamaFixture.path, to: target, as: .q8_0)
            }
            #expect(error?.message.contains("requantiz") == true)
            #expect(!FileManager.default.fileExists(atPath: target))
        }
    }
}

/// Lines that a library logged, from any thread.
private final class LineRecorder: Sendable {
    private let lines = Mutex<[(LlamaLogLevel, String)]>([])

    var all: [(LlamaLogLevel, String)] { lines.withLock { $0 } }

    func add(_ level: LlamaLogLevel, _ line: String) {
        lines.withLock { $0.append((level, line)) }
    }
}
