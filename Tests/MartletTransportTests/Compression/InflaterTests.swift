import MartletCore
import MartletTestKit
import Testing

@testable import MartletTransport

@Suite("Decompression")
struct InflaterTests {
    private let roomy = DecompressionLimits(bytesMax: 1 << 30, ratioMax: 10_000)

    private func inflate(
        _ parts: [[UInt8]], _ coding: ContentCoding = .gzip, limits: DecompressionLimits? = nil
    ) throws -> (bytes: [UInt8], isComplete: Bool) {
        let inflater = try Inflater(coding, limits: limits ?? roomy)
        var output: [UInt8] = []
        for part in parts {
            try part.withUnsafeBytes { try inflater.append($0, to: &output) }
        }
        return (output, inflater.isComplete)
    }

    private func failure(
        _ parts: [[UInt8]], _ coding: ContentCoding = .gzip, limits: DecompressionLimits? = nil
    ) -> Inflater.Failure? {
        #expect(throws: Inflater.Failure.self) {
            try inflate(parts, coding, limits: limits)
        }
    }

    /// Bytes that compress about as well as the tensors of real requests.
    private func sample(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...15, using: &generator) }
    }

    @Test(arguments: [ContentCoding.gzip, .deflate], [0, 1, 65_535, 65_536, 65_537, 1_000_000])
    func bytes_ofAnyLength_comeBack(coding: ContentCoding, count: Int) throws {
        let bytes = sample(count)
        let result = try inflate([compressed(bytes, coding)], coding)
        #expect(firstDifference(result.bytes, from: bytes) == nil)
        #expect(result.isComplete)
    }

    @Test func bytes_inPiecesOfAnySize_comeBack() throws {
        let bytes = sample(5000)
        let whole = compressed(bytes, .gzip)
        for size in [1, 2, 3, 7, 100, 1000] {
            let parts = stride(from: 0, to: whole.count, by: size).map {
                Array(whole[$0..<min($0 + size, whole.count)])
            }
            let result = try inflate(parts + [[]])
            #expect(firstDifference(result.bytes, from: bytes) == nil, "\(size)")
            #expect(result.isComplete, "\(size)")
        }
    }

    @Test func dataThatEndsEarly_isNotComplete() throws {
        let whole = compressed(sample(1000), .gzip)
        for count in [0, 1, 9, 10, 11, whole.count / 2, whole.count - 8, whole.count - 1] {
            #expect(try !inflate([Array(whole[..<count])]).isComplete, "\(count)")
        }
    }

    @Test func dataWithAnyDamagedByte_isRefusedOrDiffersInItsHeaderAlone() throws {
        let bytes = sample(200)
        let whole = compressed(bytes, .gzip)
        for index in whole.indices {
            var damaged = whole
            damaged[index] ^= 0x55
            guard let result = try? inflate([damaged]), result.isComplete else { continue }
            // Time, flags and system of the header mean nothing to us.
            #expect((3..<10).contains(index), "\(index)")
            #expect(firstDifference(result.bytes, from: bytes) == nil, "\(index)")
        }
    }

    @Test func formatsThatWereNotAnnounced_areRefused() {
        let bytes = sample(100)
        #expect(failure([compressed(bytes, .gzip)], .deflate) == .corrupt)
        #expect(failure([compressed(bytes, .deflate)], .gzip) == .corrupt)
        #expect(failure([Array("{\"instances\": [1]}".utf8)]) == .corrupt)
    }

    @Test func filesOneBehindTheOther_areOne() throws {
        let parts = [compressed([1, 2], .gzip), compressed([], .gzip), compressed([3], .gzip)]
        #expect(try inflate(parts).bytes == [1, 2, 3])
        #expect(try inflate([parts.flatMap { $0 }]).bytes == [1, 2, 3])
        #expect(try inflate(parts.flatMap { $0 }.map { [$0] }).isComplete)
    }

    @Test func bytesBehindTheEnd_areRefused() {
        #expect(failure([compressed([1], .gzip) + [1, 2, 3]]) == .corrupt)
        #expect(failure([compressed([1], .gzip), [1, 2, 3]]) == .corrupt)
        #expect(failure([compressed([1], .deflate) + [0]], .deflate) == .corrupt)
    }

    @Test func output_atTheLimitAndOneBeyond_isTakenAndRefused() throws {
        let limits = DecompressionLimits(bytesMax: 1000, ratioMax: 100)
        let fits = try inflate([compressed(sample(1000), .gzip)], limits: limits)
        #expect(fits.bytes.count == 1000 && fits.isComplete)
        #expect(failure([compressed(sample(1001), .gzip)], limits: limits) == .tooLarge)
    }

    @Test func expansionOfASmallBody_isNotWatched() throws {
        let limits = DecompressionLimits(bytesMax: 1 << 30, ratioMax: 2)
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        #expect(try inflate([compressed(zeros, .gzip)], limits: limits).bytes.count == 1 << 20)
        #expect(failure([compressed(zeros + [0], .gzip)], limits: limits) == .ratio)
    }

    @Test func bomb_isStoppedBeforeItHasTakenTheRoom() throws {
        let bomb = compressed([UInt8](repeating: 0, count: 256 << 20), .gzip)
        let limits = DecompressionLimits(bytesMax: 1 << 30, ratioMax: 100)
        let inflater = try Inflater(.gzip, limits: limits)
        var output: [UInt8] = []
        var failure: Inflater.Failure?
        var sent = 0
        // In pieces as they come from a socket; the first that expands too far ends it.
        while failure == nil, sent < bomb.count {
            let part = bomb[sent..<min(sent + 4096, bomb.count)]
            sent += part.count
            do {
                try part.withUnsafeBytes { try inflater.append($0, to: &output) }
            } catch let error as Inflater.Failure {
                failure = error
            }
        }
        #expect(failure == .ratio)
        #expect(output.count <= max(1 << 20, 100 * sent))
        #expect(output.capacity <= 4 << 20)
    }

    @Test(arguments: [0, 1, Int.max / 2, Int.max])
    func limits_ofAnySize_doNotOverflow(count: Int) {
        let limits = DecompressionLimits(bytesMax: .max, ratioMax: .max)
        #expect(limits.outputMax(input: count) >= 1 << 20)
        #expect(DecompressionLimits(bytesMax: 7, ratioMax: 100).outputMax(input: count) == 7)
    }

    @Test(
        arguments: [
            (nil, ContentCoding.identity), ("", .identity), ("identity", .identity),
            ("gzip", .gzip),
            ("GZIP", .gzip), ("x-gzip", .gzip), ("deflate", .deflate),
        ] as [(String?, ContentCoding)])
    func coding_thatIsKnown_isRead(field: String?, coding: ContentCoding) {
        #expect(ContentCoding(field: field) == coding)
    }

    @Test(arguments: ["br", "gzip, gzip", "gzip,identity", "zstd", " gzip", "*"])
    func coding_thatIsNotKnown_isNone(field: String) {
        #expect(ContentCoding(field: field) == nil)
    }
}
