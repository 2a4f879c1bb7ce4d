import Testing

@testable import MartletEngines

@Suite(.serialized, .timeLimit(.minutes(10)))
struct GenAIProcessTests {
    private let wake: WakeSignal

    init() throws { wake = try WakeSignal() }

    private func start(_ script: String) throws -> GenAIProcess {
        try GenAIProcess(command: ["/bin/sh", "-c", script])
    }

    /// Listens until there is a message, or the process has ended.
    ///
    /// - Returns: the message, what else was heard, and how often something was.
    private func message(
        of process: GenAIProcess
    ) -> (text: String?, remarks: [String], count: Int) {
        var remarks: [String] = []
        for count in 1...1_000_000 {
            let news = process.hear(for: .seconds(60), or: wake)
            remarks += news.remarks
            if let line = news.messages.first {
                return (String(decoding: line, as: UTF8.self), remarks, count)
            }
            if news.fault != nil { return (nil, remarks, count) }
        }
        return (nil, remarks, 0)
    }

    @Test func messageThatIsReadSlowly_goesOutWhole() throws {
        let process = try start("exec 3>&0; sleep 3; head -c 5000000 | wc -c >&3")
        #expect(process.say(Array(repeating: 65, count: 5_000_000)))
        #expect(process.isBehind)
        let (text, _, _) = message(of: process)
        #expect(text?.contains("5000000") == true)
        #expect(!process.isBehind)
        process.end()
    }

    @Test func programThatWritesNothingForPeople_keepsNobodyBusy() throws {
        let process = try start("exec 1>&- 2>&-; sleep 1; echo done >&0; read line")
        let (text, _, count) = message(of: process)
        #expect(text == "done")
        // The end of its standard error, and what it said.
        #expect(count < 10)
        process.end()
    }

    @Test func programThatFloodsItsStandardError_isHeardAllTheSame() throws {
        let process = try start(
            "yes 'a remark of some length' | head -n 100000 >&2; echo done >&0; read line")
        let (text, remarks, _) = message(of: process)
        #expect(text == "done")
        #expect(remarks.first == "a remark of some length")
        process.end()
    }

    @Test func remarks_areLimited() {
        var limit = RemarkLimit()
        let now = ContinuousClock.now
        let few = RemarkLimit.linesMax - 1
        #expect(limit.shown(Array(repeating: "a", count: few), now: now).count == few)
        #expect(limit.shown(["b", "c", "d"], now: now) == ["b"])
        #expect(limit.shown(["e"], now: now) == [])
        let later = now + RemarkLimit.interval
        #expect(limit.shown([], now: later) == [])
        #expect(limit.shown(["f"], now: later) == ["3 more lines were left out", "f"])
        #expect(limit.shown(["g"], now: later + RemarkLimit.interval) == ["g"])
    }
}
