import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("The model that a body names")
struct MessageModelTests {
    private func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        [number << 3 | 2, UInt8(content.count)] + content
    }

    private func frame(_ message: [UInt8]) -> [UInt8] {
        [0, 0, 0, 0, UInt8(message.count)] + message
    }

    private func specification(_ name: String) -> [UInt8] { field(1, Array(name.utf8)) }

    private func model(_ path: String, _ message: [UInt8]) throws -> String {
        try MessageModel.model(inCall: path, frame: frame(message))
    }

    private let predict = "/tensorflow.serving.PredictionService/Predict"
    private let multi = "/tensorflow.serving.PredictionService/MultiInference"

    @Test func calls_nameTheirModelWhereTheyAreDefinedTo() throws {
        #expect(try model(predict, field(1, specification("m"))) == "m")
        #expect(try model("/inference.GRPCInferenceService/ModelInfer", specification("n")) == "n")
        let load = "/inference.GRPCInferenceService/RepositoryModelLoad"
        #expect(try model(load, field(1, Array("r".utf8)) + field(2, Array("n".utf8))) == "n")
    }

    /// Behind other fields, of every kind, and where it is there twice the last counts, as for nodes.
    @Test func fields_thatMeanNothing_arePassedOver() throws {
        let others: [UInt8] = [0x10, 0x96, 0x01, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4]
        let message = field(1, specification("x")) + others + field(1, specification("m"))
        #expect(try model(predict, message) == "m")
    }

    @Test func tasks_mustBeOfOneModel() throws {
        let task = { field(1, field(1, specification($0))) }
        #expect(try model(multi, task("m") + task("m")) == "m")
        #expect(throws: ServingError.self) { try model(multi, task("m") + task("n")) }
    }

    @Test func compressedMessage_isRefusedAsSuch() {
        let error = #expect(throws: ServingError.self) {
            try MessageModel.model(inCall: predict, frame: [1, 0, 0, 0, 0])
        }
        #expect(error?.code == .unimplemented)
    }

    @Test func brokenMessages_areRefusedAndNeverTrap() {
        let good = frame(field(1, specification("model")))
        for seed in SimulationSeeds.first(5000) {
            var random = SeededGenerator(seed: seed)
            var bytes = good
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
            _ = try? MessageModel.model(inCall: predict, frame: bytes)
            _ = try? MessageModel.model(inCall: multi, frame: bytes)
        }
        #expect(throws: ServingError.self) { try model(predict, []) }
    }

    @Test func json_namesItsModel() {
        #expect(MessageModel.model(inJSON: Array(#"{"a": 1, "model": "m"}"#.utf8)) == "m")
        #expect(MessageModel.model(inJSON: Array(#"{"model": 3}"#.utf8)) == nil)
        #expect(MessageModel.model(inJSON: Array("[".utf8)) == nil)
        #expect(MessageModel.model(inJSON: Array(#"{"mod\u0065l": "m"}"#.utf8)) == "m")
        for twice in [#"{"model":"a","model":"a"}"#, #"{"model":"a","mod\u0065l":"b"}"#] {
            #expect(MessageModel.model(inJSON: Array(twice.utf8)) == nil)
        }
    }
}
