import Foundation
import MartletEngines
import Testing

/// A chat template in the form of a widespread family of models, and what comes of it: a file of
/// Tests/ChatTemplates.
///
/// A file begins with fields, one a line: the texts of the tokens that begin and end a text, whether
/// the tokenizer puts the first before a text, and variables of the template. Sections follow, each
/// behind a line `=== NAME`; the line's end before the next such line is no part of it.
struct ChatFamily: Sendable, CustomTestStringConvertible {
    let name: String
    private let fields: [String: String]
    private let sections: [String: String]

    var testDescription: String { name }

    var beginning: String { fields["bos"] ?? "" }
    var end: String { fields["eos"] ?? "" }
    var addsBeginning: Bool { fields["adds bos"] == "true" }
    var variables: String? { fields["variables"] }
    var template: String { sections["template"] ?? "" }

    /// A section that the family need not have.
    subscript(_ name: String) -> String? { sections[name] }

    /// The usual conversation as its prompt, which ends where the assistant's answer begins.
    var opened: String? {
        if let whole = sections["opened"] { return whole }
        guard let chat = sections["chat"], let opening = sections["opening"] else { return nil }
        return chat + opening
    }

    /// Its model: a vocabulary and the template, without weights.
    func model() throws -> LlamaModel {
        let path = NSTemporaryDirectory() + "martlet-chat-\(UUID().uuidString).gguf"
        let file = ChatModelFile(
            template: template, beginning: beginning, end: end, addsBeginning: addsBeginning)
        try Data(file.bytes).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        var options = LlamaModelOptions()
        options.isVocabularyOnly = true
        return try LlamaModel(
            library: LlamaFixture.library.get(), path: path, options: options)
    }

    /// All there are, in the order of their names.
    static let all: [ChatFamily] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(
                path: "ChatTemplates")
        let files = try? FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        return (files ?? []).compactMap { ChatFamily(file: $0) }.sorted { $0.name < $1.name }
    }()

    private init?(file: URL) {
        guard file.pathExtension == "txt", let text = try? String(contentsOf: file, encoding: .utf8)
        else { return nil }
        name = file.deletingPathExtension().lastPathComponent
        // With a mark before the first section like those before all others.
        let parts = text.components(separatedBy: "\n=== ")
        var fields: [String: String] = [:]
        for line in parts[0].components(separatedBy: "\n") {
            guard let colon = line.range(of: ": ") else { continue }
            fields[String(line[..<colon.lowerBound])] = String(line[colon.upperBound...])
        }
        var sections: [String: String] = [:]
        for (index, part) in parts.enumerated().dropFirst() {
            let head = part.prefix { $0 != "\n" }
            var body = part.dropFirst(head.count + 1)
            if index == parts.count - 1, body.last == "\n" { body.removeLast() }
            sections[String(head)] = String(body)
        }
        self.fields = fields
        self.sections = sections
    }
}

/// A GGUF file of a tokenizer of bytes and a chat template, and of nothing else.
struct ChatModelFile {
    private(set) var bytes: [UInt8] = []

    init(template: String, beginning: String, end: String, addsBeginning: Bool) {
        let isOneToken = beginning == end
        let special = ["<unk>", beginning, isOneToken ? "<unused>" : end]
        let tokens = special + (0..<256).map { String(format: "<0x%02X>", $0) }
        bytes += Array("GGUF".utf8)
        append(UInt32(3))
        append(UInt64(0))
        append(UInt64(11))
        append("general.architecture", "llama")
        append("tokenizer.ggml.model", "llama")
        append("tokenizer.chat_template", template)
        append(list: "tokenizer.ggml.tokens", of: 8, tokens) { $0.append(text: $1) }
        append(list: "tokenizer.ggml.scores", of: 6, tokens) { file, _ in file.append(UInt32(0)) }
        let kinds: [UInt32] = [2, 3, 3] + Array(repeating: 6, count: 256)
        append(list: "tokenizer.ggml.token_type", of: 5, kinds) { $0.append($1) }
        append("tokenizer.ggml.bos_token_id", 1)
        append("tokenizer.ggml.eos_token_id", isOneToken ? 1 : 2)
        append("tokenizer.ggml.unknown_token_id", 0)
        append("tokenizer.ggml.add_bos_token", addsBeginning)
        append("tokenizer.ggml.add_space_prefix", false)
    }

    private mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    private mutating func append(text: String) {
        append(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    private mutating func append(_ key: String, _ text: String) {
        append(text: key)
        append(UInt32(8))
        append(text: text)
    }

    private mutating func append(_ key: String, _ number: UInt32) {
        append(text: key)
        append(UInt32(4))
        append(number)
    }

    private mutating func append(_ key: String, _ flag: Bool) {
        append(text: key)
        append(UInt32(7))
        append(UInt8(flag ? 1 : 0))
    }

    private mutating func append<Element>(
        list key: String, of kind: UInt32, _ elements: [Element],
        by appendOne: (inout ChatModelFile, Element) -> Void
    ) {
        append(text: key)
        append(UInt32(9))
        append(kind)
        append(UInt64(elements.count))
        for element in elements { appendOne(&self, element) }
    }
}
