import Testing

@testable import martlet

@Suite("Progress of commands")
struct ProgressLineTests {
    @Test func line_hasABarWhereThereIsRoom() {
        let line = ProgressLine(title: "smollm2", share: 0.5, detail: "1 of 2 MiB")
        #expect(line.text == "50 %  smollm2  1 of 2 MiB")
        #expect(
            line.text(width: 80) == "[###############...............] 50 %  smollm2  1 of 2 MiB")
        #expect(line.text(width: 36) == "[###....] 50 %  smollm2  1 of 2 MiB")
    }

    @Test(arguments: 0...120)
    func line_neverIsLongerThanItsTerminal(width: Int) {
        let line = ProgressLine(title: "a-model-with-a-long-name", share: 1, detail: "2 of 2 MiB")
        #expect(line.text(width: width).count <= max(1, width))
    }

    @Test(arguments: [
        (-1.0, "0 %"), (0, "0 %"), (0.999, "99 %"), (1, "100 %"), (7, "100 %"),
        (.nan, "0 %"), (.infinity, "0 %"),
    ])
    func share_isShownAsWholePercent(share: Double, shown: String) {
        #expect(ProgressLine(title: "t", share: share).text == "\(shown)  t")
    }
}
