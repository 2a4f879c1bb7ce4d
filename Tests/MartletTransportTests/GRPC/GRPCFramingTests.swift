import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("gRPC framing")
struct GRPCFramingTests {
    private func frame(_ message: [UInt8], flag: UInt8 = 0) -> [UInt8] {
        let count = UInt32(message.count)
        return [flag] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + message
    }

    private func read(
        _ parts: [[UInt8]], maximumBytes: Int = 1 << 20, coding: ContentCoding = .identity
    ) throws -> [UInt8] {
        var limits = Limits()
        limits.messageBytes = maximumBytes
        var reader = GRPCUnaryReader(limits: limits, coding: coding)
        for part in parts { try reader.append(ByteBuffer(bytes: part)) }
        return try reader.finish()
    }

    private func refusal(
        _ parts: [[UInt8]], maximumBytes: Int = 1 << 20, coding: ContentCoding = .identity
    ) -> String {
        do {
            let message = try read(parts, maximumBytes: maximumBytes, coding: coding)
            return "not refused: \(message)"
        } catch {
            return "\(error)"
        }
    }

    @Test func message_splitAtAnyTwoPlaces_arrivesWhole() throws {
        let message = (0..<20).map { UInt8($0) }
        let bytes = frame(message)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let parts = [bytes[..<first], bytes[first..<second], bytes[second...]].map {
                    Array($0)
                }
                #expect(try read(parts) == message, "\(first), \(second)")
            }
        }
    }

    @Test func message_byteByByte_arrivesWhole() throws {
        let message = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try read(frame(message).map { [$0] }) == message)
    }

    @Test func message_withoutBytes_isOne() throws {
        #expect(try read([frame([])]) == [])
        #expect(try read([frame([]), []]) == [])
    }

    @Test func message_atTheLimitAndOneBeyond_isTakenAndRefused() throws {
        #expect(try read([frame([1, 2, 3])], maximumBytes: 3) == [1, 2, 3])
        #expect(
            refusal([frame([1, 2, 3, 4])], maximumBytes: 3)
                == "RESOURCE_EXHAUSTED: Received message larger than max (4 vs. 3); "
                + "the limit is set by --max-message-bytes")
    }

    @Test func message_overTheLimit_isRefusedAtItsLengthAndNotAtItsEnd() {
        var limits = Limits()
        limits.messageBytes = 1000
        var reader = GRPCUnaryReader(limits: limits)
        let error = #expect(throws: ServingError.self) {
            try reader.append(ByteBuffer(bytes: [0, 0xFF, 0xFF, 0xFF, 0xFF]))
        }
        #expect(error?.code == .resourceExhausted)
        #expect(
            error?.message == "Received message larger than max (4294967295 vs. 1000); "
                + "the limit is set by --max-message-bytes")
    }

    @Test func message_thatIsCompressedThoughTheCallIsNot_isAnInternalError() {
        let bytes = frame([1], flag: 1)
        let message = "INTERNAL: A message is compressed, but the call has no grpc-encoding"
        #expect(refusal([bytes]) == message)
        #expect(refusal(bytes.map { [$0] }) == message)
    }

    @Test(arguments: [UInt8(2), 0x80, 0xFF])
    func message_withAnUnknownFlag_isAnInternalError(flag: UInt8) {
        #expect(
            refusal([frame([1], flag: flag)], coding: .gzip)
                == "INTERNAL: A message begins with \(flag); only 0 and 1 are known")
    }

    @Test(arguments: [ContentCoding.gzip, .deflate])
    func message_thatIsCompressed_isDecompressedHoweverItIsSplit(coding: ContentCoding) throws {
        let message = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 300) }
        let bytes = frame(compressed(message, coding), flag: 1)
        #expect(try (read([bytes], coding: coding) == message) == true)
        #expect(try (read(bytes.map { [$0] }, coding: coding) == message) == true)
        #expect(try read([frame(compressed([], coding), flag: 1)], coding: coding) == [])
    }

    @Test func message_thatIsNotCompressedThoughTheCallIs_isTakenAsItIs() throws {
        #expect(try read([frame([1, 2])], coding: .gzip) == [1, 2])
    }

    @Test func message_thatIsCompressed_isHeldToTheLimitOfItsContent() throws {
        let bytes = frame(compressed(Array(repeating: 7, count: 1001), .gzip), flag: 1)
        #expect(try read([bytes], maximumBytes: 1001, coding: .gzip).count == 1001)
        #expect(
            refusal([bytes], maximumBytes: 1000, coding: .gzip)
                == "RESOURCE_EXHAUSTED: Received message larger than max (decompressed, vs. 1000); "
                + "the limit is set by --max-message-bytes")
    }

    @Test func message_thatExpandsTooMuch_isRefused() {
        let bytes = frame(compressed(Array(repeating: 0, count: 8 << 20), .gzip), flag: 1)
        #expect(
            refusal([bytes], maximumBytes: 1 << 30, coding: .gzip)
                == "RESOURCE_EXHAUSTED: Received message expands to more than 100 times its size; "
                + "the limit is set by --max-decompression-ratio")
    }

    @Test func message_whoseCompressionIsBroken_isAnInternalError() {
        let whole = compressed(Array(0..<100), .gzip)
        #expect(
            refusal([frame([9, 9, 9], flag: 1)], coding: .gzip)
                == "INTERNAL: A compressed message is damaged")
        #expect(
            refusal([frame(Array(whole.dropLast()), flag: 1)], coding: .gzip)
                == "INTERNAL: A compressed message ends early")
    }

    @Test func messages_oneBehindTheOther_areReadInTurn() throws {
        var reader = GRPCMessageReader(limits: Limits(), coding: .gzip)
        var bytes = ByteBuffer(
            bytes: frame([1, 2]) + frame([]) + frame(compressed([3], .gzip), flag: 1) + [0])
        #expect(try reader.next(from: &bytes) == [1, 2])
        #expect(try reader.next(from: &bytes) == [])
        #expect(reader.isBetweenMessages)
        #expect(try reader.next(from: &bytes) == [3])
        #expect(try reader.next(from: &bytes) == nil)
        #expect(!reader.isBetweenMessages)
    }

    @Test func secondMessage_inTheSameOrTheNextBytes_isRefused() {
        let message = "UNIMPLEMENTED: This method takes a single request message"
        #expect(refusal([frame([1, 2]) + frame([3])]) == message)
        #expect(refusal([frame([1, 2]), frame([3])]) == message)
        #expect(refusal([frame([]), frame([])]) == message)
        #expect(refusal([frame([1, 2]), [0]]) == message)
    }

    @Test func streamThatEndsAnywhereInsideAFrame_isAnInternalErrorThatCounts() {
        let bytes = frame([1, 2, 3])
        for count in 0..<5 {
            #expect(
                refusal([Array(bytes[..<count])])
                    == "INTERNAL: The stream ended inside a message: 0 of unknown bytes arrived")
        }
        for count in 5..<8 {
            #expect(
                refusal([Array(bytes[..<count])])
                    == "INTERNAL: The stream ended inside a message: \(count - 5) of 3 bytes arrived"
            )
        }
    }

    @Test func writtenFrame_isReadBack() throws {
        let message = (0..<70_000).map { UInt8(truncatingIfNeeded: $0) }
        let buffer = GRPCMessageWriter.frame(message, allocator: ByteBufferAllocator())
        #expect(Array(buffer.readableBytesView.prefix(5)) == [0, 0, 1, 0x11, 0x70])
        #expect(try (read([Array(buffer.readableBytesView)]) == message) == true)
    }
}
