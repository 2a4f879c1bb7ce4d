import MartletCore
import MartletProtocols
import SwiftProtobuf
import Testing

@testable import MartletModelServer
@testable import MartletTransport

@Suite("Weighing of a message's parts")
struct MessageWeightTests {
    private let part = MessageWeight.part
    private let field = MessageWeight.field

    /// An outline whose first field is a message without messages.
    private let outline = MessageOutline([1: .leaf])

    private func exceeds(_ maximum: Int, _ message: [UInt8]) -> Bool {
        MessageWeight.exceeds(maximum, message, outline)
    }

    @Test func parts_weighMoreThanOtherFields_andAreWeighedWithinToo() {
        // A part with two numbers, a text, and a part that the outline does not know.
        let message: [UInt8] = [0x0a, 4, 0x08, 1, 0x08, 2, 0x12, 1, 0x61, 0x1a, 2, 0x0a, 0]
        let weight = part + 4 * field
        #expect(exceeds(weight - 1, message))
        #expect(!exceeds(weight, message))
    }

    @Test func messageTooShortToWeighThatMuch_isNotCounted() {
        #expect(!exceeds(100 * part, [UInt8](repeating: 0x0a, count: 200)))
    }

    @Test(arguments: [[0x0a, 0x7f, 0], [0x0f, 0, 0x0f, 0], [0x08, 0x80]] as [[UInt8]])
    func whatIsNoMessage_isLeftToTheDecoder(message: [UInt8]) {
        #expect(!exceeds(0, message))
    }

    @Test func examplesAndTheirFeatures_areParts() throws {
        var request = Tensorflow_Serving_ClassificationRequest()
        let example = Tensorflow_Example.with {
            $0.features.feature["x"] = Tensorflow_Feature.with { $0.int64List.value = [1, 2, 3] }
        }
        request.input.exampleList.examples = Array(repeating: example, count: 10)
        // The input and the list; then the example, its features, an entry with its key, the
        // feature and its list with one packed field.
        let weight = 2 * part + 10 * (5 * part + 2 * field)
        let message: [UInt8] = try request.serializedBytes()
        let outline = Tensorflow_Serving_ClassificationRequest.outline
        #expect(!MessageWeight.exceeds(weight, message, outline))
        #expect(MessageWeight.exceeds(weight - 1, message, outline))
    }

    @Test func tensorOfManyValues_weighsLittle() throws {
        var request = Tensorflow_Serving_PredictRequest()
        request.inputs["x"] = Tensorflow_TensorProto.with {
            $0.floatVal = Array(repeating: 1, count: 100_000)
            $0.tensorShape.dim = [.with { $0.size = 100_000 }]
        }
        let message: [UInt8] = try request.serializedBytes()
        #expect(
            !MessageWeight.exceeds(
                10 * part, message, Tensorflow_Serving_PredictRequest.outline))
    }
}
