import Testing

@testable import MartletTransport

@Suite("How far a stream of events has come")
struct EventProgressTests {
    private func progress(_ text: String, inPiecesOf count: Int = 1000) -> EventProgress {
        var progress = EventProgress()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            progress.take(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        return progress
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func dataLines_areCountedInWhateverPieces(count: Int) {
        let progress = progress(
            "data: {\"a\": \"data: no\"}\n\n: data: no\nevent: data:\ndata:1\n\ndata: [DONE]\n\n",
            inPiecesOf: count)
        #expect(progress.dataLines == 3)
        #expect(progress.isBetweenEvents)
    }

    @Test(arguments: [
        ("", true), ("data: 1\n\n", true), ("data: 1\r\n\r\n", true), ("data: 1\r\r", true),
        (": waiting\n\n", true), ("data: 1\n", false), ("data: 1\r\n", false),
        ("data: 1\n\ndata: {\"b", false), ("dat", false), ("data: 1\n\n ", false),
    ])
    func anotherEvent_mayFollowAnEmptyLineAlone(text: String, mayFollow: Bool) {
        for count in [1, 2, 1000] {
            #expect(progress(text, inPiecesOf: count).isBetweenEvents == mayFollow, "\(count)")
        }
    }

    @Test func lineThatBeginsWithData_countsWhenItsFieldIsWhole() {
        #expect(progress("data").dataLines == 0)
        #expect(progress("data:").dataLines == 1)
        #expect(progress("database: 1\n").dataLines == 0)
        #expect(progress(" data: 1\n").dataLines == 0)
    }
}
