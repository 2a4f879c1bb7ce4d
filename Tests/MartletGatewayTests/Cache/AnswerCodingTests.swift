import MartletTestKit
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Answers as bytes")
struct AnswerCodingTests {
    private let answer = HTTPResponse(
        status: 200, headers: ["content-type": "application/json", "x-ä": ""],
        body: [0, 1, 2, 255])

    @Test func answer_comesBackAsItWas() throws {
        let bytes = AnswerCoding.encode(answer, storedAt: -5)
        let back = try #require(AnswerCoding.decode(bytes))
        #expect(back.storedAt == -5)
        #expect(back.answer.status == 200)
        #expect(back.answer.body == answer.body)
        #expect(
            back.answer.headers.fields.map { "\($0.name): \($0.value)" }
                == ["content-type: application/json", "x-ä: "])
    }

    @Test func otherForms_areNoAnswers() {
        #expect(AnswerCoding.decode([]) == nil)
        var bytes = AnswerCoding.encode(answer, storedAt: 0)
        bytes[0] = 9
        #expect(AnswerCoding.decode(bytes) == nil)
    }

    @Test func brokenBytes_neverTrap() {
        let good = AnswerCoding.encode(answer, storedAt: 1_700_000_000)
        for seed in UInt64(0)..<5000 {
            var random = SeededGenerator(seed: seed)
            var bytes = good
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            _ = AnswerCoding.decode(
                Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))
        }
        // A head that is cut off is none, however the rest would be read.
        for count in 0..<20 { #expect(AnswerCoding.decode(Array(good.prefix(count))) == nil) }
    }
}
