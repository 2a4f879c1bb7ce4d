import MartletCore
import Testing

@testable import MartletOperations

@Suite("Checks of nodes")
struct NodeChecksTests {
    private let facts = MachineFacts(processors: ProcessorAllowance(online: 4), openFiles: 65536)

    private func node(_ name: String = "node", engine: Int? = nil) -> NodeFacts {
        var wishes = ThreadBudget.Wishes()
        wishes.engine = engine
        return NodeFacts(
            name: name, threads: ThreadBudget(cores: 4, wishes: wishes), connections: 100)
    }

    private func verdicts(
        _ nodes: [NodeFacts], _ name: String, on facts: MachineFacts? = nil
    ) -> [DoctorCheck.Verdict] {
        DoctorCheck.nodes(nodes, on: facts ?? self.facts).filter { $0.name == name }
            .map(\.verdict)
    }

    // MARK: Threads

    @Test func threadsBeyondTheCores_warn() {
        #expect(verdicts([node()], "threads") == [.ok])
        #expect(verdicts([node(engine: 4)], "threads") == [.ok])
        #expect(verdicts([node(engine: 5)], "threads") == [.warn])
        let check = DoctorCheck.threads(node(engine: 64), cores: 4)
        #expect(check.found.hasPrefix("64 threads on 4 cores: event_loop 4, engine 64"))
        #expect(check.remedy.hasSuffix("set --engine-threads to 4, or leave it out"))
    }

    @Test func remedy_namesTheFlagAtFault() {
        var wishes = ThreadBudget.Wishes()
        (wishes.batches, wishes.batch) = (true, 9)
        let batching = NodeFacts(
            name: "n", threads: ThreadBudget(cores: 2, wishes: wishes), connections: 1)
        #expect(DoctorCheck.threads(batching, cores: 2).remedy.contains("num_batch_threads"))
        wishes.tensorflowIntra = 0
        let session = NodeFacts(
            name: "n", threads: ThreadBudget(cores: 2, wishes: wishes), connections: 1)
        #expect(DoctorCheck.threads(session, cores: 2).remedy.contains("intra_op"))
    }

    @Test func nodesThatShareAMachine_areCountedTogether() {
        let shared = [node("a", engine: 2), node("b", engine: 2)]
        #expect(verdicts(shared, "threads") == [.ok, .ok, .ok])
        let crowded = [node("a"), node("b")]
        #expect(verdicts(crowded, "threads") == [.ok, .ok, .warn])
        let many = (0..<5).map { node("n\($0)", engine: 1) }
        #expect(verdicts(many, "threads").last == .warn)
        let check = DoctorCheck.threads(ofAll: crowded, cores: 4)
        #expect(check.found == "8 threads of 2 nodes on 4 cores")
        #expect(check.remedy.contains("engine_threads 2 "))
    }

    // MARK: Memory and files

    @Test func modelsThatDoNotFit_failAndThoseThatNearlyDoWarn() {
        var facts = facts
        var node = node()
        node.models = [.init(name: "m")]
        node.models[0].bytes = 600
        #expect(verdicts([node], "memory", on: facts) == [])
        facts.memory = 1000
        #expect(verdicts([node], "memory", on: facts) == [.ok])
        #expect(verdicts([node, node], "memory", on: facts) == [.fail])
        node.models[0].bytes = 800
        #expect(verdicts([node], "memory", on: facts) == [.warn])
        facts.memoryLimit = 700
        #expect(verdicts([node], "memory", on: facts) == [.fail])
        node.memoryBudget = 300
        #expect(verdicts([node], "memory", on: facts) == [.ok])
        node.models[0].bytes = .max
        node.memoryBudget = nil
        #expect(verdicts([node, node], "memory", on: facts) == [.fail])
    }

    @Test func memoryBesideTheFiles_counts() {
        var facts = facts
        facts.memory = 1000
        var node = node()
        node.models = [.init(name: "m")]
        node.models[0].bytes = 400
        #expect(verdicts([node], "memory", on: facts) == [.ok])
        node.models[0].workingBytes = 400
        #expect(verdicts([node], "memory", on: facts) == [.warn])
        node.models[0].workingBytes = 700
        #expect(verdicts([node], "memory", on: facts) == [.fail])
        let check = DoctorCheck.nodes([node], on: facts).first { $0.name == "memory" }
        #expect(check?.found.contains("of KV memory and to compute") == true)
        #expect(check?.remedy.contains("lower --kv-cache") == true)
        node.memoryBudget = 300
        #expect(verdicts([node], "memory", on: facts) == [.ok])
        node.memoryBudget = nil
        node.models[0].workingBytes = .max
        #expect(verdicts([node, node], "memory", on: facts) == [.fail])
    }

    @Test func connectionsBeyondTheOpenFiles_warn() {
        var node = node()
        #expect(DoctorCheck.openFiles(node, limit: 1024).verdict == .ok)
        #expect(DoctorCheck.openFiles(node, limit: .max).verdict == .ok)
        node.connections = 1000
        #expect(DoctorCheck.openFiles(node, limit: 1024).verdict == .warn)
        node.connections = .max
        #expect(DoctorCheck.openFiles(node, limit: 1024).verdict == .warn)
    }

    @Test func fastPrecision_wantsAProcessorThatHasIt() {
        var facts = facts
        var node = node()
        node.wantsFastPrecision = true
        #expect(verdicts([node], "precision", on: facts).isEmpty)
        facts.processorFlags = ["avx2"]
        #expect(verdicts([node], "precision", on: facts) == [.warn])
        facts.processorFlags = ["avx512_bf16"]
        #expect(verdicts([node], "precision", on: facts).isEmpty)
    }

    // MARK: Models, engines, ports

    @Test func modelThatAllNodesHaveAlike_isOneCheck() {
        var good = NodeFacts.Model(name: "m")
        good.found = "version 1"
        var bad = NodeFacts.Model(name: "broken")
        bad.problem = "half copied"
        var nodes = [node("a"), node("b")]
        nodes[0].models = [good, bad]
        nodes[1].models = [good]
        let checks = DoctorCheck.nodes(nodes, on: facts).filter { $0.name == "model" }
        #expect(checks.map(\.subject) == ["m", "a: broken"])
        #expect(checks.map(\.verdict) == [.ok, .fail])
        #expect(checks.map(\.found) == ["version 1", "half copied"])
    }

    @Test func engine_failsOnlyWhereItIsNeeded() {
        var engine = NodeFacts.Engine(name: "openvino", isNeeded: false)
        engine.found = "2026"
        #expect(DoctorCheck.engine(engine).verdict == .ok)
        engine.problem = "not found; install it"
        #expect(DoctorCheck.engine(engine).verdict == .warn)
        #expect(DoctorCheck.engine(engine).remedy == "not found; install it")
        engine.isNeeded = true
        #expect(DoctorCheck.engine(engine).verdict == .fail)
    }

    @Test func port_isFreeOrTaken() throws {
        let address = NodeFacts.Address(host: "::1", port: 80)
        #expect(DoctorCheck.port(address, of: "n", problem: nil).found == "[::1]:80 is free")
        let taken = DoctorCheck.port(address, of: "n", problem: "taken")
        #expect(taken.verdict == .fail)
        #expect(taken.remedy.contains("grep :80"))
        let port = try #require(try freePorts(1, host: "127.0.0.1").first)
        #expect(portProblem(host: "127.0.0.1", port: port) == nil)
        #expect(portProblem(host: "127.0.0.1", port: 0) == nil)
        #expect(portProblem(host: "192.0.2.1", port: port) != nil)
        #expect(portProblem(host: "not a host", port: port) == "there is no such address")
    }
}
