import MartletCore
import MartletEngines
import MartletTensors
import Synchronization
import Testing

@testable import MartletModelServer
@testable import MartletTransport

@Suite("Answers that are read away from the thread that generates them")
struct AnswerReadingTests {
    /// Readings that a test does when it likes.
    private final class Readings: Sendable {
        private let waiting = Mutex<[@Sendable () -> Void]>([])

        var reader: AnswerReader {
            AnswerReader { _, reading in self.waiting.withLock { $0.append(reading) } }
        }
        var count: Int { waiting.withLock { $0.count } }

        /// Does what has come so far.
        func run() {
            let readings = waiting.withLock { waiting in
                defer { waiting.removeAll() }
                return waiting
            }
            for reading in readings { reading() }
        }
    }

    /// A chat that counts how often its answer is read, and of which length.
    private final class CountingChat: RenderedChat {
        let prompt = "prompt"
        let stops: [String] = []
        let isPlain = false
        let plainAfter: String?
        private let lengths = Mutex<[Int]>([])

        init(plainAfter: String? = nil) { self.plainAfter = plainAfter }

        var readLengths: [Int] { lengths.withLock { $0 } }

        func read(_ text: String, isPartial: Bool) throws -> GeneratedMessage {
            lengths.withLock { $0.append(text.utf8.count) }
            return try PlainChat(isPlain: false).read(text, isPartial: isPartial)
        }

        func staysPlain(after beginning: String) -> Bool {
            plainAfter.map(beginning.hasPrefix) ?? false
        }
    }

    private static let chat =
        #"{"model":"m","messages":[{"role":"user","content":"a"}]"#

    private func run(
        _ fields: String, _ chat: any RenderedChat, _ readings: Readings
    ) throws -> GenerationSessionRun {
        try GenerationSessionRun(Self.chat + fields, chat: chat, reader: readings.reader)
    }

    @Test func wholeAnswer_isReadOnce_howeverLong() throws {
        let (chat, readings) = (CountingChat(), Readings())
        let run = try run("}", chat, readings)
        for _ in 0..<1000 { run.model.say("ab") }
        #expect(readings.count == 0)
        run.model.finish()
        // The model's thread goes on before anything is read.
        #expect(run.outcome == nil)
        #expect(chat.readLengths.isEmpty)
        readings.run()
        #expect(chat.readLengths == [2000])
        let content = try #require(try run.json().at("choices.0.message.content")?.string)
        #expect(content.utf8.count == 2000)
    }

    @Test func stream_isReadOnceForAllThatCameMeanwhile() throws {
        let (chat, readings) = (CountingChat(), Readings())
        let run = try run(#","stream":true}"#, chat, readings)
        for _ in 0..<1000 { run.model.say("a") }
        #expect(chat.readLengths.isEmpty)
        #expect(readings.count == 1)
        readings.run()
        #expect(chat.readLengths == [1000])
        run.model.say("!x")
        #expect(readings.count == 1)
        run.model.finish()
        readings.run()
        // One reading was on its way already, and found the end; the other found nothing to do.
        #expect(chat.readLengths == [1000, 1002])
        let (events, end) = try run.events()
        #expect(end == .complete)
        #expect(events.last == .text("[DONE]"))
        let reasons = events.compactMap { $0.at("choices.0.finish_reason")?.string }
        #expect(reasons == ["tool_calls"])
    }

    @Test func textThatCameWhileItWasRead_isReadNext() throws {
        let (chat, readings) = (CountingChat(), Readings())
        let run = try run(#","stream":true}"#, chat, readings)
        run.model.say("ab")
        readings.run()
        #expect(readings.count == 0)
        run.model.say("c")
        readings.run()
        #expect(chat.readLengths == [2, 3])
        let (events, _) = try run.events()
        #expect(events.compactMap { $0.at("choices.0.delta.content")?.string } == ["", "ab", "c"])
    }

    @Test func textThatCanOnlyBePlain_isToldAtOnce_andNotRead() throws {
        let (chat, readings) = (CountingChat(plainAfter: "So"), Readings())
        let run = try run(#","stream":true}"#, chat, readings)
        run.model.say("S")
        run.model.say("o !x")
        run.model.say("y")
        let (events, _) = try run.events()
        let texts = events.compactMap { $0.at("choices.0.delta.content")?.string }
        #expect(texts == ["", "So !x", "y"])
        run.model.finish()
        let (rest, end) = try run.events()
        #expect(end == .complete)
        #expect(rest.compactMap { $0.at("choices.0.finish_reason")?.string } == ["stop"])
        // The one that began before it was clear finds nothing to do.
        readings.run()
        #expect(chat.readLengths.isEmpty)
    }

    @Test func thoughts_areToldAsTheyCome_andApartFromTheText() throws {
        let run = try GenerationSessionRun(
            Self.chat + #","stream":true}"#, chat: ThinkingChat(needsBar: true))
        run.model.say("so")
        run.model.say("?|yes")
        run.model.finish(tokens: 3)
        let (events, _) = try run.events()
        let deltas = events.compactMap { $0.at("choices.0.delta") }
        #expect(deltas.compactMap { $0.at("reasoning_content")?.string } == ["so", "?"])
        #expect(deltas.compactMap { $0.at("content")?.string } == ["", "yes"])
    }

    @Test func charactersThatTokensCut_areReadWhole() throws {
        let run = try GenerationSessionRun(
            Self.chat + #","stream":true}"#, chat: ThinkingChat(needsBar: true))
        let text = "Grüße \u{1F600}?|Tromsø \u{1F600}"
        for byte in text.utf8 { run.model.say([byte]) }
        run.model.finish(tokens: 3)
        let (events, _) = try run.events()
        let deltas = events.compactMap { $0.at("choices.0.delta") }
        let thoughts = deltas.compactMap { $0.at("reasoning_content")?.string }
        #expect(thoughts.joined() == "Grüße \u{1F600}?")
        let content = deltas.compactMap { $0.at("content")?.string }
        #expect(content.joined() == "Tromsø \u{1F600}")
        #expect(!(thoughts + content).joined().contains("\u{FFFD}"))
    }

    @Test func thoughtsOfAWholeAnswer_areAFieldOfIt_andCounted() throws {
        let run = try GenerationSessionRun(Self.chat + "}", chat: ThinkingChat(needsBar: true))
        run.model.say("so?|yes")
        run.model.finish(tokens: 3)
        let json = try run.json()
        #expect(json.at("choices.0.message.reasoning_content") == .text("so?"))
        #expect(json.at("choices.0.message.content") == .text("yes"))
        #expect(json.at("usage.completion_tokens") == .integer(3))
    }

    @Test func thoughtsThatWereCutOff_areNoText() throws {
        for stream in [false, true] {
            let run = try GenerationSessionRun(
                Self.chat + #","stream":\#(stream)}"#, chat: ThinkingChat(needsBar: true))
            run.model.say("so")
            run.model.finish(0, .length)
            if stream {
                let deltas = try run.events().0.compactMap { $0.at("choices.0.delta") }
                #expect(deltas.compactMap { $0.at("reasoning_content")?.string } == ["so"])
                #expect(deltas.compactMap { $0.at("content")?.string } == [""])
            } else {
                let message = try run.json().at("choices.0.message")
                #expect(message?.at("reasoning_content") == .text("so"))
                #expect(message?.at("content") == .text(""))
            }
        }
    }

    @Test func sessionThatFailed_isNotRead() throws {
        let (chat, readings) = (CountingChat(), Readings())
        let run = try run(#","stream":true}"#, chat, readings)
        run.model.say("a")
        run.cancellation.cancel()
        readings.run()
        #expect(chat.readLengths.isEmpty)
        #expect(run.error()?.code == .cancelled)
    }

    @Test func pace_keepsItsShareOfTheTime() {
        var pace = ReadingPace()
        #expect(pace.didRead(in: .milliseconds(1), now: .seconds(1)) == .milliseconds(9))
        // Another stream waits behind the first.
        #expect(pace.didRead(in: .milliseconds(1), now: .seconds(1)) == .milliseconds(18))
        #expect(pace.didRead(in: .milliseconds(1), now: .seconds(2)) == .milliseconds(9))
        #expect(pace.didRead(in: .seconds(2), now: .seconds(3)) == ReadingPace.pauseMax)
    }
}
