import MartletTestKit
import NIOCore
import NIOHPACK
import Testing

@testable import MartletTransport

@Suite("Parts of HTTP/2 connections")
struct HTTP2PartsTests {
    @Test(arguments: 0..<20 as Range<UInt64>)
    func streamTable_doesAsADictionaryDoes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = StreamTable<Int>()
        var model: [UInt32: Int] = [:]
        for step in 0..<2000 {
            let stream = UInt32.random(in: 0..<200, using: &random) * 2 + 1
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                table.insert(step, for: stream)
                model[stream] = step
            case 2: #expect(table.remove(stream) == model.removeValue(forKey: stream))
            default:
                table[stream]? += 1
                model[stream]? += 1
            }
            #expect(table.count == model.count)
            #expect(table.contains(stream) == (model[stream] != nil))
            #expect(table[stream] == model[stream])
        }
        #expect(table.streams.sorted() == model.keys.sorted())
        table.update { $1 += 1 }
        for (stream, value) in model { #expect(table[stream] == value + 1) }
    }

    @Test func frameHead_isReadAsItWasWritten() {
        let head = FrameHead(
            length: 0xABCDEF, kind: .windowUpdate, flags: [.padded, .endStream],
            stream: 0x7FFF_FFFE)
        var buffer = ByteBuffer()
        head.write(to: &buffer)
        #expect(buffer.readableBytes == 9)
        var short = buffer.getSlice(at: 0, length: 8) ?? ByteBuffer()
        #expect(FrameHead(from: &short) == nil)
        #expect(short.readableBytes == 8)
        #expect(FrameHead(from: &buffer) == head)
    }

    @Test func fieldBlock_isWhatDecodersRead() throws {
        let long = String(repeating: "x", count: 5000)
        let fields = [
            (":status", "200"), ("content-type", "application/json"), ("X-Upper", "Value"),
            ("content-length", "0"), ("date", "now"), ("a", long), ("grpc-message", ""),
            ("www-authenticate", "Bearer"), ("retry-after", "1"), ("vary", "origin"),
            ("access-control-allow-origin", "*"), ("allow", "GET"),
        ]
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
        for status in [200, 204, 206, 304, 400, 404, 500, 413, 503] {
            var buffer = ByteBuffer(
                bytes: FieldBlock([(":status", "\(status)")] + fields.dropFirst()).bytes)
            let headers = try decoder.decodeHeaders(from: &buffer)
            #expect(headers.first(name: ":status") == "\(status)")
            #expect(headers.dropFirst().map(\.name) == fields.dropFirst().map { $0.0.lowercased() })
            #expect(headers.dropFirst().map(\.value) == fields.dropFirst().map(\.1))
        }
    }

    @Test func fieldBlock_lineEndsInValues_becomeSpaces() throws {
        var buffer = ByteBuffer(bytes: FieldBlock([("a", "b\r\nc: d")]).bytes)
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
        #expect(try decoder.decodeHeaders(from: &buffer).first(name: "a") == "b  c: d")
    }

    @Test func head_thatComesAgain_isDecodedOnce_untilTheTableChanges() throws {
        var reader = HeaderBlockReader(listBytesMax: 10_000)
        let plain = ByteBuffer(bytes: FieldBlock(HeaderSamples.get).bytes)
        let first = try reader.readHead(plain)
        #expect(try reader.readHead(plain) === first)
        var adding = plain
        adding.writeBytes([0x40, 1, 0x61, 1, 0x62])
        #expect(try reader.readHead(adding).fields.first("a") == "b")
        let again = try reader.readHead(plain)
        #expect(again !== first)
        #expect(again.path == first.path)
        var indexed = plain
        indexed.writeBytes([0xBE])
        #expect(try reader.readHead(indexed).fields.first("a") == "b")
        // The same bytes mean something else once the table has moved on.
        let trailers = try reader.readTrailers(ByteBuffer(bytes: [0x40, 1, 0x63, 1, 0x64]))
        #expect(trailers.malformation == nil)
        #expect(try reader.readHead(indexed).fields.first("a") == nil)
        #expect(try reader.readHead(indexed).fields.first("c") == "d")
    }

    @Test func heads_inAnyOrder_areKeptApart() throws {
        var reader = HeaderBlockReader(listBytesMax: 10_000)
        for round in 0..<3 {
            for number in 0..<20 {
                let path = "/\(number)"
                let fields = HeaderSamples.get.map { $0.0 == ":path" ? ($0.0, path) : $0 }
                let head = try reader.readHead(ByteBuffer(bytes: FieldBlock(fields).bytes))
                #expect(head.path == path, "\(round)")
            }
        }
    }

    @Test func blockScan_seesWhatChangesTheTable() {
        func changes(_ bytes: [UInt8]) -> Bool {
            HeaderBlockScan.changesTable(ByteBuffer(bytes: bytes))
        }
        #expect(!changes([]))
        #expect(!changes([0x82, 0xFF, 0x20, 0x00, 1, 0x61, 1, 0x40, 0x1F, 0x03, 2, 0x40, 0x40]))
        #expect(changes([0x82, 0x40, 1, 0x61, 1, 0x62]))
        #expect(changes([0x82, 0x7F, 0x00, 1, 0x62]))
        #expect(changes([0x20]))
        // What ends too early is for the decoder to judge.
        #expect(changes([0x00, 5, 0x61]))
        #expect(changes([0xFF]))
        #expect(changes([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]))
    }
}
