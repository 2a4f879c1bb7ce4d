import MartletTestKit
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Commands of a Redis connection that have no reply yet")
struct RedisPipelineTests {
    /// A pipeline whose commands have numbers.
    private final class Bench {
        var pipeline: RedisPipeline<Int>

        init(commandsMax: Int = 10, bytesMax: Int = 1000) {
            pipeline = RedisPipeline(commandsMax: commandsMax, bytesMax: bytesMax)
        }

        func add(
            _ number: Int, bytes: Int = 0, isAsking: Bool = false, deadline: Int = 100
        ) -> Bool {
            let command = RedisCommand("X", key: [UInt8](repeating: 0x61, count: bytes))
            return pipeline.add(
                RedisPipeline.Entry(
                    command, isAsking: isAsking, deadline: .milliseconds(deadline),
                    completion: number))
        }

        @discardableResult
        func send() -> String {
            var buffer = ByteBuffer()
            pipeline.send(to: &buffer)
            return String(buffer: buffer)
        }

        /// Whose reply has come; nil if nobody waits for it.
        func reply() -> Int? {
            guard case .wanted(let number) = pipeline.receive() else { return nil }
            return number
        }

        func expire(_ now: Int) -> (completions: [Int], wereSent: Bool) {
            pipeline.expire(now: .milliseconds(now))
        }

        func removeAll() -> [Int] { pipeline.removeAll() }
    }

    @Test func replies_belongToCommandsInOrder() {
        let pipeline = Bench()
        for number in 1...3 { #expect(pipeline.add(number)) }
        #expect(!pipeline.pipeline.awaitsReplies)
        #expect(!pipeline.send().isEmpty)
        #expect(pipeline.send().isEmpty)
        #expect(pipeline.pipeline.awaitsReplies)
        for number in 1...3 { #expect(pipeline.reply() == number) }
        #expect(pipeline.pipeline.isEmpty)
        guard case .unexpected = pipeline.pipeline.receive() else {
            Issue.record("a reply too many belongs to somebody")
            return
        }
    }

    @Test func commandThatTimedOut_keepsItsPlace() {
        let pipeline = Bench()
        #expect(pipeline.add(1, deadline: 10))
        pipeline.send()
        #expect(pipeline.add(2, deadline: 20))
        pipeline.send()
        #expect(pipeline.pipeline.earliestDeadline == .milliseconds(10))
        #expect(pipeline.expire(9).completions.isEmpty)
        let expired = pipeline.expire(10)
        #expect(expired.completions == [1])
        #expect(expired.wereSent)
        #expect(pipeline.pipeline.earliestDeadline == .milliseconds(20))
        #expect(pipeline.reply() == nil)
        #expect(pipeline.reply() == 2)
    }

    @Test func commandThatTimedOutBeforeItWasSent_isNeverSent() {
        let pipeline = Bench()
        #expect(pipeline.add(1, deadline: 10))
        #expect(pipeline.add(2, deadline: 20))
        let expired = pipeline.expire(10)
        #expect(expired.completions == [1])
        #expect(!expired.wereSent)
        pipeline.send()
        #expect(pipeline.reply() == 2)
        #expect(pipeline.pipeline.isEmpty)
    }

    @Test func askingHasAReplyOfItsOwn() {
        let pipeline = Bench()
        #expect(pipeline.add(1, isAsking: true))
        #expect(pipeline.add(2))
        #expect(pipeline.send().hasPrefix("*1\r\n$6\r\nASKING\r\n*2\r\n"))
        #expect(pipeline.reply() == nil)
        #expect(pipeline.reply() == 1)
        #expect(pipeline.reply() == 2)
    }

    @Test func commandsBeyondTheLimits_areNotTaken_untilRepliesCome() {
        let pipeline = Bench(commandsMax: 2)
        #expect(pipeline.add(1))
        pipeline.send()
        #expect(pipeline.add(2))
        #expect(!pipeline.add(3))
        #expect(pipeline.reply() == 1)
        #expect(pipeline.add(3))

        let bytes = Bench()
        // A large one goes alone.
        #expect(bytes.add(1, bytes: 5000))
        #expect(!bytes.add(2))
        #expect(bytes.removeAll() == [1])
        #expect(bytes.add(2, bytes: 500))
        #expect(!bytes.add(3, bytes: 500))
        #expect(bytes.expire(1000).completions == [2])
        #expect(bytes.add(3, bytes: 500))
    }

    /// Against a model that is a list of numbers.
    @Test func anySequence_endsEachCommandOnce() {
        for seed in SimulationSeeds.first(10_000) {
            var random = SeededGenerator(seed: seed)
            let pipeline = Bench(commandsMax: 8, bytesMax: 4000)
            var added = 0
            var ended: [Int] = []
            var onTheWire: [Int?] = []
            var waiting: [(number: Int, isAsking: Bool)] = []
            var now = 0
            for _ in 0..<40 {
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<4:
                    let isAsking = Bool.random(using: &random)
                    let isAdded = pipeline.add(
                        added, bytes: Int.random(in: 0..<900, using: &random), isAsking: isAsking,
                        deadline: now + Int.random(in: 0..<30, using: &random))
                    guard isAdded else { continue }
                    waiting.append((added, isAsking))
                    added += 1
                case 4..<6:
                    pipeline.send()
                    onTheWire += waiting.flatMap { $0.isAsking ? [nil, $0.number] : [$0.number] }
                    waiting = []
                case 6..<8:
                    guard !onTheWire.isEmpty else { continue }
                    let number = onTheWire.removeFirst()
                    let isDue = number.map { !ended.contains($0) } ?? false
                    let reply = pipeline.reply()
                    if reply != (isDue ? number : nil) {
                        Issue.record("\(SimulationSeeds.replay(seed)): a reply is another's")
                    }
                    ended += reply.map { [$0] } ?? []
                default:
                    now += Int.random(in: 0..<20, using: &random)
                    let expired = pipeline.expire(now).completions
                    ended += expired
                    waiting.removeAll { expired.contains($0.number) }
                }
            }
            ended += pipeline.removeAll()
            if ended.sorted() != Array(0..<added) {
                Issue.record("\(SimulationSeeds.replay(seed)): \(ended) of \(added)")
            }
        }
    }
}
