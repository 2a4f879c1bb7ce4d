import MartletCore
import Testing

@Suite("Thread budget")
struct ThreadBudgetTests {
    private typealias Wishes = ThreadBudget.Wishes

    @Test(arguments: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128])
    func withoutWishes_asManyComputeAsThereAreCores(cores: Int) {
        let budget = ThreadBudget(cores: cores)
        #expect(budget.computing == cores)
        #expect(budget.count(of: .eventLoop) == cores)
        #expect(budget.count(of: .engine) == cores)
        #expect(budget.count(of: .batch) == 0)
        #expect(budget.count(of: .openvino) == cores)
        #expect(budget.count(of: .tensorflowIntra) == 1)
        #expect(budget.count(of: .tensorflowInter) == 1)
        #expect(budget.count(of: .load) == 1)
        var wishes = Wishes()
        wishes.batches = true
        let batching = ThreadBudget(cores: cores, wishes: wishes)
        #expect(batching.count(of: .batch) == cores)
        #expect(batching.computing == cores)
    }

    @Test func whatTheOperatorNames_wins() {
        var wishes = Wishes()
        wishes.engine = 3
        #expect(ThreadBudget(cores: 8, wishes: wishes).computing == 3)
        #expect(ThreadBudget(cores: 8, wishes: wishes).count(of: .openvino) == 3)
        wishes.batches = true
        wishes.batch = 2
        let batching = ThreadBudget(cores: 8, wishes: wishes)
        #expect(batching.count(of: .engine) == 3)
        #expect(batching.count(of: .openvino) == 2)
        #expect(batching.computing == 2)
        wishes.openvino = 5
        wishes.load = 4
        wishes.unload = 2
        let named = ThreadBudget(cores: 8, wishes: wishes)
        #expect(named.computing == 5)
        #expect([.load, .unload].map(named.count) == [4, 2])
        #expect(named.count(of: .eventLoop) == 8)
    }

    @Test func threadsOfTensorFlowItself_comeOnTop() {
        var wishes = Wishes()
        wishes.tensorflowIntra = 0
        #expect(ThreadBudget(cores: 8, wishes: wishes).computing == 15)
        wishes.tensorflowInter = 4
        #expect(ThreadBudget(cores: 8, wishes: wishes).computing == 18)
        (wishes.tensorflowIntra, wishes.tensorflowInter) = (1, 1)
        #expect(ThreadBudget(cores: 8, wishes: wishes).computing == 8)
    }

    @Test func strangeNumbers_makeNoTrapAndNoNothing() {
        var wishes = Wishes()
        (wishes.engine, wishes.load, wishes.batches, wishes.batch) = (0, -3, true, -1)
        let budget = ThreadBudget(cores: 0, wishes: wishes)
        #expect([.engine, .load, .batch, .eventLoop].map(budget.count) == [1, 1, 1, 1])
        (wishes.engine, wishes.tensorflowIntra, wishes.tensorflowInter) = (.max, .max, .max)
        _ = ThreadBudget(cores: .max, wishes: wishes).computing
    }

    @Test func budgetThatWasTold_isTheSame() {
        var wishes = Wishes()
        (wishes.engine, wishes.batches) = (4, true)
        let budget = ThreadBudget(cores: 2, wishes: wishes)
        var counts: [String: Int] = ["of_another_version": 7]
        for kind in ThreadBudget.Kind.allCases { counts[kind.rawValue] = budget.count(of: kind) }
        #expect(ThreadBudget(cores: 2, counts: counts) == budget)
    }

    @Test func text_namesAllThereAre() {
        #expect(
            ThreadBudget(cores: 2).text
                == "event_loop 2, engine 2, openvino 2, tensorflow_intra 1, tensorflow_inter 1, "
                + "load 1, unload 1, control 3")
    }
}
