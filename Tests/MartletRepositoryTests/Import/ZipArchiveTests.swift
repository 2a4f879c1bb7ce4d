import Foundation
import MartletTestKit
import Testing

@testable import MartletRepository

@Suite("Zip archives")
struct ZipArchiveTests {
    private static let long = (0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 / 7 ^ $0 >> 11) }

    private func unpack(_ bytes: [UInt8], _ index: Int = 0) throws -> [UInt8] {
        let archive = try ZipArchive(MemoryBytes(bytes))
        var content: [UInt8] = []
        try archive.unpack(archive.members[index]) { content.append(contentsOf: $0) }
        return content
    }

    @Test(arguments: [true, false])
    func files_comeOutAsTheyWentIn(isDeflated: Bool) throws {
        let sample = ZipSample(
            [("a/b.gguf", Self.long), ("empty", []), ("c", [1])], isDeflated: isDeflated)
        let archive = try ZipArchive(MemoryBytes(sample.bytes))
        #expect(archive.members.map(\.name) == ["a/b.gguf", "empty", "c"])
        #expect(archive.members.map(\.byteCount) == [1_500_000, 0, 1])
        #expect(try (unpack(sample.bytes, 0) == Self.long) == true)
        #expect(try unpack(sample.bytes, 1).isEmpty)
        #expect(try unpack(sample.bytes, 2) == [1])
    }

    @Test func aCommentThatLooksLikeAnEnd_isNone() throws {
        var sample = ZipSample([("a", [1, 2])])
        sample.comment = Array(ZipSample([]).bytes) + [0]
        #expect(try unpack(sample.bytes) == [1, 2])
    }

    @Test func anEmptyArchive_hasNoFiles() throws {
        #expect(try ZipArchive(MemoryBytes(ZipSample([]).bytes)).members.isEmpty)
    }

    private static func edited(_ change: (inout ZipSample) -> Void) -> [UInt8] {
        var sample = ZipSample([("a", Array("hello hello hello".utf8))])
        change(&sample)
        return sample.bytes
    }

    private static let wrong: [(String, [UInt8], String)] = [
        ("nothing", [], "does not end as a zip"),
        ("short", [0x50, 0x4B, 5, 6], "does not end as a zip"),
        ("bytes behind the end", edited { _ in } + [0], "does not end as a zip"),
        ("too many files", edited { $0.memberCount = 3 }, "is cut off"),
        ("Zip64", edited { $0.memberCount = .max }, "Zip64"),
        ("a list of other size", edited { $0.directoryBytes = 8 }, "not where its end says"),
        ("a list of 4 GiB", edited { $0.directoryBytes = .max - 1 }, "not where its end says"),
        ("encrypted", edited { $0.members[0].flags = 1 }, "is encrypted"),
        ("another method", edited { $0.members[0].method = 12 }, "method 12"),
        ("a head far away", edited { $0.members[0].head = 1 << 30 }, "not all in the archive"),
        ("a head elsewhere", edited { $0.members[0].head = 3 }, "not where the list says"),
        ("two names", edited { $0.members[0].nameInHead = "b" }, "two different heads"),
        ("more than stated", edited { $0.members[0].byteCount = 16 }, "more than the 16 bytes"),
        ("less than stated", edited { $0.members[0].byteCount = 18 }, "has 17 bytes, not 18"),
        ("another checksum", edited { $0.members[0].crc = 7 }, "checksum stated"),
        ("no deflated bytes", edited { $0.members[0].packed = [6, 255, 1] }, "cannot be unpacked"),
        ("a cut stream", edited { $0.members[0].packed = [] }, "has 0 bytes, not 17"),
        (
            "bytes behind the stream",
            edited { $0.members[0].packed = [3, 0, 1, 2] }, "has bytes behind its end"
        ),
        (
            "a stored file of two sizes",
            edited {
                $0.members[0].isDeflated = false
                $0.members[0].byteCount = 9
            }, "not all in the archive"
        ),
    ]

    @Test(arguments: ZipArchiveTests.wrong)
    func anArchiveWithOneThingWrong_isRefusedForThat(
        name: String, bytes: [UInt8], complaint: String
    ) {
        let fault = #expect(throws: ZipFault.self) { try unpack(bytes) }
        #expect(fault?.description.contains(complaint) == true, "\(String(describing: fault))")
    }

    /// Ten thousand times what the archive states would come out.
    @Test func aBomb_comesOutToTheStatedSizeAtMost() throws {
        var sample = ZipSample([("a", [UInt8](repeating: 0, count: 20 << 20))])
        sample.members[0].byteCount = 1 << 20
        var given = 0
        let archive = try ZipArchive(MemoryBytes(sample.bytes))
        #expect(throws: ZipFault.self) {
            try archive.unpack(archive.members[0]) { given += $0.count }
        }
        #expect(given <= 1 << 20)
    }

    @Test func aChangedArchive_isReadOrRefused() throws {
        let content = (0..<200).map { UInt8($0 % 23) }
        let sound = ZipSample([("a.gguf", content), ("b", content)]).bytes
        for seed in SimulationSeeds.first(3000) {
            var random = SeededGenerator(seed: seed)
            var bytes = sound
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] =
                    [0, 1, 0x7F, 0xFF, .random(in: 0...255, using: &random)]
                    .randomElement(using: &random) ?? 0
            }
            do {
                let archive = try ZipArchive(MemoryBytes(bytes))
                for member in archive.members {
                    var count = 0
                    try archive.unpack(member) { count += $0.count }
                    #expect(count == member.byteCount, "\(SimulationSeeds.replay(seed))")
                }
            } catch is ZipFault {}
        }
    }
}

@Suite("Models in wheels")
struct WheelModelTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func model(_ wheels: [[(String, [UInt8])]], bytesMax: Int = 1000) throws -> [UInt8] {
        var paths: [String] = []
        for (index, files) in wheels.enumerated() {
            try folder.write(Data(ZipSample(files).bytes), to: "\(index).whl")
            paths.append("\(folder.path)/\(index).whl")
        }
        let wheel = try WheelModel(paths, bytesMax: bytesMax)
        var content: [UInt8] = []
        try wheel.unpack { content.append(contentsOf: $0) }
        #expect(content.count == wheel.byteCount)
        return content
    }

    @Test func theOneModel_isFound() throws {
        #expect(try model([[("m/__init__.py", [9]), ("m/tiny.gguf", [1, 2])]]) == [1, 2])
    }

    @Test func piecesInAnyOrder_areJoinedByTheirNumbers() throws {
        let wheels: [[(String, [UInt8])]] = [
            [("p/data/README.md", [9])], [("p2/a.gguf.part10", [11]), ("p2/a.gguf.part2", [3])],
            (3...9).map { ("p3/a.gguf.part0\($0)", [UInt8($0 + 1)]) },
            [("p0/a.gguf.part00", [1]), ("p1/a.gguf.part01", [2])],
        ]
        #expect(try model(wheels) == Array(1...11))
    }

    private static let wrong: [[[(String, [UInt8])]]] = [
        [[("README.md", [1])]],
        [[("a.gguf", [1]), ("b.gguf", [1])]],
        [[("a.gguf", [1])], [("a.gguf", [1])]],
        [[("a.gguf.part1", [1]), ("a.gguf.part3", [1])]],
        [[("a.gguf.part2", [1])]],
        [[("a.gguf.part0", [1]), ("b.gguf.part1", [1])]],
        [[("a.gguf", [1]), ("a.gguf.part1", [1])]],
        [[("a.gguf.part0", [1]), ("x/a.gguf.part0", [1])]],
        [[("a.gguf/", [])]],
        [[("a.gguf", [UInt8](repeating: 1, count: 1001))]],
        [],
    ]

    @Test(arguments: WheelModelTests.wrong)
    func anythingButOneModel_isRefused(wheels: [[(String, [UInt8])]]) {
        let error = #expect(throws: (any Error).self) { try model(wheels) }
        #expect("\(String(describing: error))".contains("INVALID_ARGUMENT"))
    }

    @Test func whatIsNoArchive_isRefused() throws {
        try folder.write("not a wheel", to: "a.whl")
        let error = #expect(throws: (any Error).self) {
            try WheelModel(["\(folder.path)/a.whl"], bytesMax: 10)
        }
        #expect("\(String(describing: error))".contains("cannot be read as a wheel"))
    }
}
