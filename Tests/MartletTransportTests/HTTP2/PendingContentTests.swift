import NIOCore
import Testing

@testable import MartletTransport

@Suite("Content that waits to be sent")
struct PendingContentTests {
    /// The bytes of all that waits, taken `step` at a time.
    private func drain(_ content: inout PendingContent, by step: Int) -> [UInt8] {
        var output = ByteBuffer()
        while !content.isEmpty { content.moveFirst(min(step, content.count), to: &output) }
        return Array(output.readableBytesView)
    }

    @Test(arguments: 1...20)
    func pieces_leaveInOrderWhereverTheyAreCut(step: Int) {
        var content = PendingContent()
        content.append([1, 2, 3], isMessage: false)
        content.append([4, 5], isMessage: true)
        content.append([], isMessage: false)
        content.append([], isMessage: true)
        content.append([6], isMessage: true)
        var buffer = ByteBuffer(bytes: [0, 7, 8, 9])
        buffer.moveReaderIndex(forwardBy: 1)
        content.append(buffer)
        let expected: [UInt8] =
            [1, 2, 3, 0, 0, 0, 0, 2, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 7, 8, 9]
        #expect(content.count == expected.count)
        #expect(drain(&content, by: step) == expected)
        #expect(content.isEmpty)
    }

    @Test func whatIsAddedMeanwhile_leavesLast() {
        var content = PendingContent()
        content.append([1, 2, 3], isMessage: false)
        var output = ByteBuffer()
        content.moveFirst(2, to: &output)
        content.append([4], isMessage: false)
        #expect(content.count == 2)
        #expect(drain(&content, by: 8) == [3, 4])
    }

    @Test func nothing_doesNotWait() {
        var content = PendingContent()
        content.append([], isMessage: false)
        #expect(content.isEmpty)
    }
}
