import Testing

@testable import MartletRepository

@Suite("GGUF files")
struct GGUFFileTests {
    @Test(arguments: [UInt32(2), 3])
    func bothVersions_areRead(version: UInt32) throws {
        let file = try GGUFFile(.edited { $0.version = version })
        #expect(file.metadata.values["general.architecture"] == .text("llama"))
        #expect(file.metadata.values.count == 15)
        #expect(file.tensors.map(\.name) == ["token_embd.weight", "output_norm.weight"])
        #expect(file.tensors.map(\.byteCount) == [4 * 20, 32 * 4])
        #expect(file.tensors.map(\.elementCount) == [128, 32])
    }

    @Test(arguments: [
        (GGUFSample.Value.uint8(255), GGUFValue.integer(255, .uint8)),
        (.int8(-128), .integer(-128, .int8)),
        (.uint16(65_535), .integer(65_535, .uint16)),
        (.int16(-2), .integer(-2, .int16)),
        (.uint32(.max), .integer(4_294_967_295, .uint32)),
        (.int32(.min), .integer(-2_147_483_648, .int32)),
        (.float32(1.5), .float(1.5)),
        (.bool(true), .truth(true)), (.bool(false), .truth(false)),
        (.text("é\n"), .text("é\n")), (.text(""), .text("")),
        (.uint64(1 << 62), .integer(1 << 62, .uint64)), (.uint64(.max), .huge(.max)),
        (.int64(.min), .integer(.min, .int64)),
        (.float64(-0.25), .double(-0.25)),
        (
            GGUFSample.Value(type: 8, bytes: GGUFSample.text([0xFF])),
            .bytes(count: 1, isTooLong: false)
        ),
    ])
    func aValueOfEachType_isItself(value: GGUFSample.Value, expected: GGUFValue) throws {
        let file = try GGUFFile(.edited { $0.set("a.value", value) })
        #expect(file.metadata.values["a.value"] == expected)
        // What comes after it is found.
        #expect(file.tensors.count == 2)
    }

    @Test(arguments: [
        (GGUFSample.Value.list(of: 0, [.uint8(1), .uint8(2)]), [1, 2] as [Int64]?),
        (.list(of: 3, [.int16(-1)]), [-1]), (.list(of: 7, [.bool(true), .bool(false)]), [1, 0]),
        (.list(of: 11, []), []), (.list(of: 10, [.uint64(.max)]), [.max]),
        (.list(of: 6, [.float32(1)]), nil), (.texts(["a", ""]), nil),
    ])
    func aListOfWholeNumbers_isKept_andOthersArePassedOver(
        value: GGUFSample.Value, expected: [Int64]?
    ) throws {
        let file = try GGUFFile(.edited { $0.set("a.value", value) })
        let list = try #require(try file.metadata.list("a.value"))
        #expect(list.integers == expected)
        #expect(file.tensors.count == 2)
    }

    @Test func aListThatIsLong_isPassedOver() throws {
        let numbers = [GGUFSample.Value](repeating: .uint32(1), count: 1025)
        let file = try GGUFFile(.edited { $0.set("a.value", .list(of: 4, numbers)) })
        let list = try file.metadata.list("a.value")
        #expect(list?.count == 1025)
        #expect(list?.integers == nil)
        #expect(file.tensors.count == 2)
    }

    @Test func aTextThatIsLong_isPassedOver() throws {
        var limits = GGUFLimits()
        limits.textBytes = 13
        let file = try GGUFFile(.model, limits: limits)
        #expect(
            file.metadata.values["tokenizer.chat_template"] == .bytes(count: 14, isTooLong: true))
        #expect(file.tensors.count == 2)
    }

    @Test func theTensorsData_beginsAtTheAlignmentOfTheFile() throws {
        var sample = GGUFSample.model
        sample.set("general.alignment", .uint32(4096))
        sample.tensors[1].offset = 4096
        sample.dataBytes = 4096 + 128
        let file = try GGUFFile(MemoryBytes(sample.bytes(alignment: 4096)))
        #expect(file.headerBytes == 4096)
        // One byte less, and the last tensor is cut off.
        let short = Array(sample.bytes(alignment: 4096).dropLast())
        let fault = #expect(throws: GGUFFault.self) { try GGUFFile(MemoryBytes(short)) }
        #expect(fault?.kind == .cutOff)
    }

    @Test func tensorsInAnyOrder_withRoomBetween_areSound() throws {
        var sample = GGUFSample.model
        sample.tensors[0].offset = 256
        sample.tensors[1].offset = 64
        sample.dataBytes = 256 + 80
        #expect(try GGUFFile(sample).tensors.map(\.offset) == [256, 64])
    }

    @Test func aTensorWithoutDimensions_isOneElement() throws {
        var sample = GGUFSample.model
        sample.tensors[1].sizes = []
        #expect(try GGUFFile(sample).tensors[1].byteCount == 4)
    }

    @Test func aHugeFile_isNotReadBeyondItsHeader() throws {
        let bytes = GGUFSample.model.bytes()
        let source = MemoryBytes(bytes, claiming: 100 << 30)
        _ = try GGUFFile(source)
        #expect(source.readBytes <= bytes.count)
        #expect(source.largestRead <= GGUFReader.windowBytes)
    }

    @Test func aHeaderLongerThanTheWindow_isReadInPieces() throws {
        let words = (0..<20_000).map { "word \($0)" }
        let sample = GGUFSample.edited {
            $0.set("tokenizer.ggml.tokens", .texts(words))
            $0.set("tokenizer.ggml.token_type", nil)
        }
        let source = MemoryBytes(sample.bytes())
        let file = try GGUFFile(source)
        #expect(try file.metadata.list("tokenizer.ggml.tokens")?.count == 20_000)
        #expect(file.tensors.count == 2)
        #expect(source.largestRead == GGUFReader.windowBytes)
    }

    @Test func everyPrefixOfAFile_isCutOff() throws {
        let bytes = GGUFSample.model.bytes()
        for count in 4..<bytes.count {
            let source = MemoryBytes(Array(bytes.prefix(count)))
            let fault = #expect(throws: GGUFFault.self) { try GGUFFile(source) }
            #expect(fault?.kind == .cutOff, "of \(count) bytes: \(String(describing: fault))")
        }
    }

    @Test func aFileThatShrinksWhileItIsRead_isCutOff() throws {
        let bytes = GGUFSample.model.bytes()
        for count in stride(from: 4, to: GGUFSample.model.header.count, by: 7) {
            let source = MemoryBytes(Array(bytes.prefix(count)), claiming: bytes.count)
            let fault = #expect(throws: GGUFFault.self) { try GGUFFile(source) }
            #expect(fault?.kind == .cutOff, "of \(count) bytes: \(String(describing: fault))")
        }
    }

    @Test(arguments: GGUFCorruption.all)
    func aFileWithOneThingWrong_isRefusedForThat(corruption: GGUFCorruption) {
        let source = MemoryBytes(corruption.bytes)
        let fault = #expect(throws: GGUFFault.self) { try GGUFFile(source) }
        #expect(
            fault?.description.contains(corruption.complaint) == true,
            "\(String(describing: fault))")
        #expect(source.largestRead <= GGUFReader.windowBytes)
    }

    @Test(arguments: GGUFCorruption.limits)
    func aFileBeyondALimit_isRefusedForThat(
        name: String, set: @Sendable (inout GGUFLimits) -> Void, complaint: String
    ) {
        var limits = GGUFLimits()
        set(&limits)
        let fault = #expect(throws: GGUFFault.self) { try GGUFFile(.model, limits: limits) }
        #expect(fault?.description.contains(complaint) == true, "\(String(describing: fault))")
    }
}
