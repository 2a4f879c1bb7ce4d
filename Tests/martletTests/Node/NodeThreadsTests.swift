import ArgumentParser
import MartletCore
import MartletEngines
import MartletModelServer
import MartletProtocols
import SwiftProtobuf
import Testing

@testable import martlet

@Suite("Threads of a node's settings")
struct NodeThreadsTests {
    private func budget(_ flags: String...) throws -> ThreadBudget {
        let command = try ServeCommand.parse(["--model=m=/m"] + flags)
        return ThreadBudget(cores: 4, wishes: try command.settings.threadWishes)
    }

    @Test func withoutFlags_theRuleHolds() throws {
        #expect(try budget() == ThreadBudget(cores: 4))
        #expect(try budget("--engine-threads=0") == ThreadBudget(cores: 4))
    }

    @Test func flags_win() throws {
        #expect(try budget("--engine-threads=2").count(of: .engine) == 2)
        #expect(try budget("--engine-threads=2").count(of: .openvino) == 2)
        #expect(try budget("--load-threads=3").count(of: .load) == 3)
        #expect(try budget("--enable-batching").count(of: .batch) > 0)
    }

    @Test func sessionFile_saysWhatTensorFlowTakes() throws {
        var settings = NodeSettings()
        var session = Tensorflow_ConfigProto()
        session.intraOpParallelismThreads = 6
        settings.tensorflow.configuration = try session.serializedBytes()
        let wishes = settings.threadWishes
        #expect(wishes.tensorflowIntra == 6)
        #expect(wishes.tensorflowInter == nil)
        settings.tensorflow.intraOperationThreads = 0
        #expect(settings.threadWishes.tensorflowIntra == 0)
    }
}
