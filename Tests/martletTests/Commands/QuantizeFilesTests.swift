import Foundation
import MartletCore
import MartletRepository
import Testing

@testable import martlet

@Suite("Files of martlet model quantize")
final class QuantizeFilesTests {
    private let folder = NSTemporaryDirectory() + "martlet-quantize-\(UUID().uuidString)"
    private let files = FileManager.default

    init() throws {
        for path in ["in/1", "in/3"] {
            try files.createDirectory(
                atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
            try Data(QuantizeFilesTests.tiny).write(
                to: URL(fileURLWithPath: "\(folder)/\(path)/tiny.gguf"))
        }
    }

    deinit { try? files.removeItem(atPath: folder) }

    /// A GGUF file with a header, one tensor and no more.
    private static let tiny: [UInt8] = {
        func little(_ value: UInt64, _ bytes: Int) -> [UInt8] {
            (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        func text(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count), 8) + text.utf8 }
        let numbers: [(String, UInt64)] = [
            ("llama.context_length", 64), ("llama.embedding_length", 32), ("llama.block_count", 1),
            ("llama.attention.head_count", 4), ("llama.attention.head_count_kv", 4),
            ("general.file_type", 0),
        ]
        var bytes = Array("GGUF".utf8) + little(3, 4) + little(1, 8)
        bytes += little(UInt64(numbers.count + 3), 8)
        bytes += text("general.architecture") + little(8, 4) + text("llama")
        for (key, value) in numbers { bytes += text(key) + little(4, 4) + little(value, 4) }
        bytes += text("tokenizer.ggml.model") + little(8, 4) + text("gpt2")
        bytes += text("tokenizer.ggml.tokens") + little(9, 4) + little(8, 4) + little(2, 8)
        bytes += text("a") + text("b")
        bytes += text("token_embd.weight") + little(2, 4) + little(32, 8) + little(2, 8)
        bytes += little(0, 4) + little(0, 8)
        while bytes.count % 32 != 0 { bytes.append(0) }
        return bytes + [UInt8](repeating: 0, count: 32 * 2 * 4)
    }()

    private func place(_ input: String, _ output: String) throws -> QuantizeFiles {
        try QuantizeFiles(input: "\(folder)/\(input)", output: "\(folder)/\(output)")
    }

    @Test func input_isAFileAVersionOrTheHighestVersionOfAModel() throws {
        for (input, found) in [("in/1/tiny.gguf", "in/1"), ("in/1", "in/1"), ("in", "in/3")] {
            let source = try place(input, "out.gguf").source
            #expect(source.files == ["\(folder)/\(found)/tiny.gguf"])
        }
        let error = #expect(throws: ServingError.self) { try place("none", "out.gguf") }
        #expect(error?.code == .notFound)
    }

    @Test func output_isAFileAVersionOrTheNextVersionOfAModel() throws {
        #expect(try place("in", "out.gguf").file == "\(folder)/out.gguf")
        #expect(try place("in", "out/7").file == "\(folder)/out/7/model.gguf")
        #expect(try place("in", "out/7/").file == "\(folder)/out/7/model.gguf")
        #expect(try place("in", "out").file == "\(folder)/out/1/model.gguf")
        #expect(try place("in", "in").file == "\(folder)/in/4/model.gguf")
    }

    @Test(arguments: ["in/1", "in/1/tiny.gguf"])
    func output_thatIsThere_isNeverOverwritten(output: String) {
        let error = #expect(throws: ServingError.self) { try place("in", output) }
        #expect(error?.code == .alreadyExists)
    }

    @Test func version_appearsWholeOrNotAtAll() throws {
        for isPublished in [true, false] {
            let output = "out-\(isPublished)"
            let place = try place("in", output)
            try place.prepare()
            try Data("half".utf8).write(to: URL(fileURLWithPath: place.draft))
            #expect(!files.fileExists(atPath: "\(folder)/\(output)/1"))
            if isPublished { try place.publish() }
            place.discard()
            #expect(files.fileExists(atPath: place.file) == isPublished)
            let left = try files.contentsOfDirectory(atPath: "\(folder)/\(output)")
            #expect(left == (isPublished ? ["1"] : []))
        }
    }

    @Test func whatAKilledCommandLeft_isTakenAway() throws {
        let first = try place("in", "out/2")
        try first.prepare()
        try Data("half".utf8).write(to: URL(fileURLWithPath: first.draft + ".partial"))
        let second = try place("in", "out/2")
        try second.prepare()
        try Data("whole".utf8).write(to: URL(fileURLWithPath: second.draft))
        try second.publish()
        #expect(try files.contentsOfDirectory(atPath: "\(folder)/out/2") == ["model.gguf"])
    }
}
