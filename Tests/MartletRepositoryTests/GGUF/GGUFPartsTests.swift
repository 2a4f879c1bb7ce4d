import Foundation
import MartletCore
import Testing

@testable import MartletRepository

@Suite("GGUF models in parts")
struct GGUFPartsTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// The two parts of the usual model, a tensor in each.
    private func parts(_ change: (inout [GGUFSample]) -> Void = { _ in }) -> [GGUFSample] {
        var samples = [GGUFSample.model, GGUFSample(keys: [], tensors: [], dataBytes: 128)]
        samples[1].tensors = [samples[0].tensors.removeLast()]
        samples[1].tensors[0].offset = 0
        for index in samples.indices {
            samples[index].set("split.no", .uint16(UInt16(index)))
            samples[index].set("split.count", .uint16(2))
            samples[index].set("split.tensors.count", .int32(2))
        }
        change(&samples)
        return samples
    }

    private func write(_ samples: [GGUFSample]) throws {
        for (index, sample) in samples.enumerated() {
            try folder.write(
                Data(sample.bytes()), to: "tiny-0000\(index + 1)-of-0000\(samples.count).gguf")
        }
    }

    private func describe() throws -> GGUFDescription { try GGUFDescription(folder: folder.path) }

    @Test func allParts_areOneModel() throws {
        try write(parts())
        let model = try describe()
        #expect(
            model.files.map { $0.split(separator: "/").last } == [
                "tiny-00001-of-00002.gguf", "tiny-00002-of-00002.gguf",
            ])
        #expect(model.parameterCount == 160)
        #expect(model.weightBytes == 208)
        #expect(model.fileBytes == parts().map { $0.bytes().count }.reduce(0, +))
        #expect(model.name == "Tiny")
        #expect(try GGUFDescription(file: model.files[1]).files == model.files)
    }

    @Test func aMissingPart_isNotFound_withItsName() throws {
        try write(parts())
        try folder.remove("tiny-00002-of-00002.gguf")
        let error = #expect(throws: ServingError.self) { try describe() }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("tiny-00002-of-00002.gguf does not exist") == true)
    }

    @Test func aMissingFirstPart_isNotFound() throws {
        try write(parts())
        try folder.remove("tiny-00001-of-00002.gguf")
        let error = #expect(throws: ServingError.self) { try describe() }
        #expect(error?.code == .notFound)
    }

    @Test(arguments: [
        ("split.no", 1, GGUFSample.Value.uint16(0), "'split.no' is not 1"),
        ("split.no", 0, .uint16(1), "'split.no' is not 0"),
        ("split.no", 1, nil, "'split.no' is not 1"),
        ("split.no", 1, .uint32(1), "'split.no' is not 1"),
        ("split.count", 0, .uint16(3), "'split.count' is not 2"),
        ("split.count", 0, nil, "'split.count' is not 2"),
        ("split.count", 1, .int32(2), "'split.count' is not 2"),
        ("split.tensors.count", 0, .int32(3), "'split.tensors.count' is not 2"),
        ("split.tensors.count", 0, nil, "'split.tensors.count' is not 2"),
    ])
    func partsThatDoNotFit_areRefusedForThat(
        key: String, part: Int, value: GGUFSample.Value?, complaint: String
    ) throws {
        try write(parts { $0[part].set(key, value) })
        let error = #expect(throws: ServingError.self) { try describe() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(complaint) == true, "\(String(describing: error))")
    }

    @Test func aTensorInTwoParts_isRefused() throws {
        try write(parts { $0[1].tensors[0].name = $0[0].tensors[0].name })
        let error = #expect(throws: ServingError.self) { try describe() }
        #expect(error?.message.contains("is in another part, too") == true)
    }

    @Test func theLimitOfTensors_isForAllPartsTogether() throws {
        try write(parts())
        var limits = GGUFLimits()
        limits.tensors = 1
        #expect(throws: ServingError.self) {
            try GGUFDescription(folder: folder.path, limits: limits)
        }
    }

    @Test func onePartUnderAnotherName_isRefused() throws {
        try folder.write(Data(parts()[0].bytes()), to: "model.gguf")
        let error = #expect(throws: ServingError.self) { try describe() }
        #expect(error?.message.contains("'split.count' is not 1") == true)
    }

    @Test(arguments: [
        (["model.gguf", "other.gguf"], "model.gguf"), (["any name.gguf"], "any name.gguf"),
        (["a.gguf", "mmproj-a.gguf", ".b.gguf", "README.md"], "a.gguf"),
        (["a-00001-of-00001.gguf"], "a-00001-of-00001.gguf"),
    ])
    func oneModelInAFolder_isFound(names: [String], expected: String) throws {
        for name in names { try folder.write(Data(GGUFSample.model.bytes()), to: name) }
        #expect(GGUFDescription.isPresent(in: folder.path))
        #expect(try describe().files == ["\(folder.path)/\(expected)"])
    }

    @Test func severalModelsInAFolder_areRefused() throws {
        for name in ["a", "b", "c"] {
            try folder.write(Data(GGUFSample.model.bytes()), to: "\(name).gguf")
        }
        let error = #expect(throws: ServingError.self) { try describe() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("holds 3 GGUF models: a.gguf, b.gguf, c.gguf") == true)
    }

    @Test func aFolderWithoutAny_isNoGGUFModel() throws {
        try folder.write("", to: "README.md")
        #expect(!GGUFDescription.isPresent(in: folder.path))
        let error = #expect(throws: ServingError.self) { try describe() }
        #expect(error?.code == .notFound)
    }

    @Test(arguments: [
        "model.gguf", "-00001-of-00002.gguf", "a-0001-of-00002.gguf", "a-00001-of-00002.GGUF",
        "a-00000-of-00002.gguf", "a-00001-of-00000.gguf", "a-00001-0f-00002.gguf",
        "a-0000a-of-00002.gguf", "a_00001-of-00002.gguf", "a-00001-of-٠٠٠٠٢.gguf", "",
    ])
    func aNameOfAnotherForm_isNoPart(name: String) {
        #expect(GGUFPartName(name) == nil)
    }

    @Test func theNameOfAPart_leadsToTheOthers() throws {
        let part = try #require(GGUFPartName("a-00001-of-00002-00007-of-00012.gguf"))
        #expect(part.stem == "a-00001-of-00002")
        #expect(part.index == 7)
        #expect(part.count == 12)
        #expect(part.name(of: 12) == "a-00001-of-00002-00012-of-00012.gguf")
    }

    @Test func aNameOfTooManyParts_isRefusedBeforeTheyAreLookedFor() throws {
        try folder.write("", to: "a-00001-of-99999.gguf")
        let error = #expect(throws: ServingError.self) { try describe() }
        #expect(error?.code == .invalidArgument)
    }
}
