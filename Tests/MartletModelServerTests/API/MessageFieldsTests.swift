import Testing

@testable import MartletModelServer

@Suite("Counting of a message's fields")
struct MessageFieldsTests {
    // Each wire type once: an integer, 8 bytes, a text, a group with an integer, 4 bytes.
    private let fields: [UInt8] =
        [0x08, 0x96, 0x01] + [0x11] + Array(repeating: 0, count: 8) + [0x1a, 0x02, 0x12, 0x00]
        + [0x23, 0x08, 0x01, 0x24] + [0x2d, 0, 0, 0, 0]

    private static let broken: [[UInt8]] = [
        [0x12, 0x7f, 0], [0x0f, 0, 0x0f, 0], [0x08, 0x80], [UInt8](repeating: 0xff, count: 30),
        [0x11, 0, 0, 0],
    ]

    private func emptyFields(_ count: Int) -> [UInt8] {
        (0..<count).flatMap { _ -> [UInt8] in [0x12, 0] }
    }

    @Test func fieldsOfEachKind_areCountedOnce() {
        #expect(MessageFields.exceed(6, in: fields))
        #expect(!MessageFields.exceed(7, in: fields))
    }

    @Test(arguments: [1, 3])
    func emptyFields_areCountedUpToTheBound(count: Int) {
        let message = emptyFields(count)
        #expect(!MessageFields.exceed(count, in: message))
        #expect(MessageFields.exceed(count - 1, in: message))
    }

    @Test func fieldsWithinAField_areItsOwn() {
        let inner = emptyFields(50)
        #expect(!MessageFields.exceed(1, in: [0x12, UInt8(inner.count)] + inner))
    }

    @Test(arguments: broken)
    func whatIsNoMessage_isLeftToTheDecoder(message: [UInt8]) {
        #expect(!MessageFields.exceed(1, in: message))
    }
}
