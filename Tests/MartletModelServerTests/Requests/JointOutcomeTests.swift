import MartletCore
import MartletTensors
import Synchronization
import Testing

@testable import MartletModelServer

@Suite("Outcomes of the tasks of one request")
struct JointOutcomeTests {
    private func outputs(_ name: String) throws -> [NamedTensor] {
        [NamedTensor(name: name, tensor: try Tensor(shape: Shape([1]), strings: [[]]))]
    }

    private func gathering(_ count: Int) -> (JointOutcome, () -> [BatchTask.Outcome]) {
        let gathered = Gathered()
        let outcomes = JointOutcome(count: count) { outcome in
            gathered.all.withLock { $0.append(outcome) }
        }
        return (outcomes, { gathered.all.withLock { $0 } })
    }

    private final class Gathered: Sendable {
        let all = Mutex<[BatchTask.Outcome]>([])
    }

    @Test func outcome_comesWithTheLastTask_andKeepsTheirOrder() throws {
        let (outcomes, gathered) = gathering(3)
        outcomes.take(.success(try outputs("c")), at: 2)
        outcomes.take(.success(try outputs("a")), at: 0)
        #expect(gathered().isEmpty)
        outcomes.take(.success(try outputs("b")), at: 1)
        let only = try #require(gathered().first)
        #expect(gathered().count == 1)
        #expect(try only.get().map(\.name) == ["a", "b", "c"])
    }

    @Test func failure_ofOneTask_isThatOfAll_onceAllHaveEnded() throws {
        let (outcomes, gathered) = gathering(2)
        outcomes.take(.failure(ServingError(.cancelled, "gone")), at: 0)
        #expect(gathered().isEmpty)
        outcomes.take(.success(try outputs("b")), at: 1)
        let only = try #require(gathered().first)
        let error = try #require(throws: ServingError.self) { try only.get() }
        #expect(error.code == .cancelled)
    }
}
