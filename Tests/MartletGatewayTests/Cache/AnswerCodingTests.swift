import MartletTestKit
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Answers as bytes")
struct AnswerCodingTests {
    private let answer = HTTPResponse(
        status: 200, headers: ["content-type": "application/json", "x-ä": ""],
        body: [0, 1, 2, 255])

    private func encode(
        _ answer: HTTPResponse, storedAt: Duration, life: Duration = .seconds(60)
    ) -> [UInt8] {
        AnswerCoding.encode(AnswerCoding.Kept(answer: answer, storedAt: storedAt, life: life))
    }

    @Test func answer_comesBackAsItWas() throws {
        let bytes = encode(answer, storedAt: .seconds(-5), life: .milliseconds(1500))
        let back = try #require(AnswerCoding.decode(bytes))
        #expect(back.storedAt == .seconds(-5) && back.life == .milliseconds(1500))
        #expect(back.answer.status == 200)
        #expect(back.answer.body == answer.body)
        #expect(
            back.answer.headers.fields.map { "\($0.name): \($0.value)" }
                == ["content-type: application/json", "x-ä: "])
    }

    private var call: HTTPResponse {
        var call = answer
        call.trailers = ["grpc-status": "0", "x-load": ""]
        return call
    }

    @Test func trailers_comeBackToo() throws {
        let back = try #require(AnswerCoding.decode(encode(call, storedAt: .seconds(7))))
        #expect(back.storedAt == .seconds(7))
        #expect(back.answer.headers.fields.count == 2)
        #expect(
            back.answer.trailers?.fields.map { "\($0.name): \($0.value)" }
                == ["grpc-status: 0", "x-load: "])
        #expect(back.answer.body == call.body)
        var bare = call
        bare.trailers = [:]
        let empty = AnswerCoding.decode(encode(bare, storedAt: .seconds(7)))
        #expect(empty?.answer.trailers?.fields.isEmpty == true)
    }

    @Test func form_staysAsItIs() throws {
        let bytes: [UInt8] =
            [3] + [UInt8](repeating: 0, count: 6) + [19, 136]
            + [UInt8](repeating: 0, count: 6) + [3, 232] + [0, 200, 0, 1]
            + [0, 0, 0, 1, UInt8(ascii: "a"), 0, 0, 0, 1, UInt8(ascii: "b")] + [9, 9]
        let back = try #require(AnswerCoding.decode(bytes))
        #expect(back.storedAt == .seconds(5) && back.life == .seconds(1))
        #expect(back.answer.status == 200 && back.answer.headers.first("a") == "b")
        #expect(back.answer.trailers == nil && back.answer.body == [9, 9])
        #expect(AnswerCoding.encode(back) == bytes)
    }

    @Test func timesOfAnySize_neverTrap() throws {
        for byte: UInt8 in [0x7F, 0x80, 0xFF] {
            var bytes = encode(answer, storedAt: .zero)
            bytes.replaceSubrange(1..<17, with: [UInt8](repeating: byte, count: 16))
            let back = try #require(AnswerCoding.decode(bytes))
            #expect(AnswerCoding.encode(back) == bytes)
        }
    }

    @Test func otherForms_areNoAnswers() {
        #expect(AnswerCoding.decode([]) == nil)
        var bytes = encode(answer, storedAt: .zero)
        // The first two told no life.
        for form: UInt8 in [0, 1, 2, 5, 9] {
            bytes[0] = form
            #expect(AnswerCoding.decode(bytes) == nil)
        }
    }

    @Test func brokenBytes_neverTrap() {
        let good = encode(answer, storedAt: .seconds(1_700_000_000))
        let goodCall = encode(call, storedAt: .seconds(1_700_000_000))
        for seed in SimulationSeeds.first(5000) {
            var random = SeededGenerator(seed: seed)
            var bytes = seed % 2 == 0 ? good : goodCall
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            _ = AnswerCoding.decode(
                Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))
        }
        // A head that is cut off is none, however the rest would be read.
        for count in 0..<20 { #expect(AnswerCoding.decode(Array(good.prefix(count))) == nil) }
        for count in 0..<(goodCall.count - answer.body.count) {
            #expect(AnswerCoding.decode(Array(goodCall.prefix(count))) == nil)
        }
    }
}
