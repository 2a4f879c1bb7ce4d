import MartletCore

extension DoctorCheck {
    /// What a node opens besides connections: models, logs, libraries.
    private static let otherFiles = 256

    /// The share of the memory that models may have; engines need some beside them, and a version
    /// that is swapped is there twice.
    private static let memoryShare = 0.7

    /// Checks of nodes that are to run on a machine at the same time.
    ///
    /// - Parameters:
    ///   - nodes: the nodes.
    ///   - facts: the machine.
    /// - Returns: the checks.
    public static func nodes(_ nodes: [NodeFacts], on facts: MachineFacts) -> [DoctorCheck] {
        guard !nodes.isEmpty else { return [] }
        var checks = nodes.map { threads($0, cores: facts.processors.cores) }
        if nodes.count > 1 { checks.append(threads(ofAll: nodes, cores: facts.processors.cores)) }
        checks += memory(nodes, on: facts)
        checks += nodes.map { openFiles($0, limit: facts.openFiles) }
        checks += nodes.filter(\.wantsFastPrecision).compactMap { precision($0, on: facts) }
        return checks + models(of: nodes)
    }

    /// One check for a model that all nodes have alike.
    private static func models(of nodes: [NodeFacts]) -> [DoctorCheck] {
        let shared = nodes.dropFirst().reduce(nodes.first?.models ?? []) { shared, node in
            shared.filter(node.models.contains)
        }
        return shared.map { model($0, of: $0.name) }
            + nodes.flatMap { node in
                node.models.filter { !shared.contains($0) }
                    .map { model($0, of: "\(node.name): \($0.name)") }
            }
    }

    /// Whether an engine can be opened.
    public static func engine(_ engine: NodeFacts.Engine) -> DoctorCheck {
        guard let problem = engine.problem else {
            return DoctorCheck("engine", of: engine.name, .ok, engine.found)
        }
        // Its message says what to do.
        return DoctorCheck(
            "engine", of: engine.name, engine.isNeeded ? .fail : .warn,
            engine.isNeeded ? "cannot be opened" : "cannot be opened; nothing here needs it",
            remedy: problem)
    }

    // MARK: Threads

    static func threads(_ node: NodeFacts, cores: Int) -> DoctorCheck {
        let budget = node.threads
        let found =
            "\(count(budget.computing, "thread")) on \(count(cores, "core")): \(budget.text)"
        guard budget.computing > cores else {
            return DoctorCheck("threads", of: node.name, .ok, found)
        }
        return DoctorCheck(
            "threads", of: node.name, .warn, found,
            remedy: "\(budget.computing) threads compute at once on \(count(cores, "core")) and "
                + "take turns, which makes each request slower and none faster: "
                + advice(budget, cores: cores))
    }

    static func threads(ofAll nodes: [NodeFacts], cores: Int) -> DoctorCheck {
        let computing = nodes.map(\.threads.computing).saturatingSum
        let found =
            "\(count(computing, "thread")) of \(nodes.count) nodes on "
            + count(cores, "core")
        guard computing > max(cores, nodes.count) else {
            let isCrowded = nodes.count > cores
            return DoctorCheck(
                "threads", of: "all nodes", isCrowded ? .warn : .ok, found,
                remedy: isCrowded ? "there are more nodes than cores; run fewer" : "")
        }
        return DoctorCheck(
            "threads", of: "all nodes", .warn, found,
            remedy: "share the cores out: engine_threads \(max(1, cores / nodes.count)) for each "
                + "node, or leave it out of the file, or run fewer nodes")
    }

    private static func advice(_ budget: ThreadBudget, cores: Int) -> String {
        if budget.count(of: .tensorflowIntra) > 1 || budget.count(of: .tensorflowInter) > 1 {
            return "leave TensorFlow's own threads at 1 (the session's intra_op and inter_op)"
        }
        return budget.count(of: .batch) > cores
            ? "set num_batch_threads to \(cores), or leave it out"
            : "set --engine-threads to \(cores), or leave it out"
    }

    // MARK: Memory and files

    private static func memory(_ nodes: [NodeFacts], on facts: MachineFacts) -> [DoctorCheck] {
        guard let usable = facts.usableMemory else { return [] }
        let needed = nodes.map(\.modelBytes).saturatingSum
        let bound = facts.memoryLimit.map { $0 <= usable ? " (control group)" : "" } ?? ""
        let available = facts.memoryAvailable.map { ", \(byteText($0)) available" } ?? ""
        let found =
            "\(modelText(nodes)), memory \(byteText(usable))\(bound)"
            + available
        let whom = nodes.count == 1 ? nodes.first?.name ?? "" : "all nodes"
        guard Double(needed) > memoryShare * Double(usable) else {
            return [DoctorCheck("memory", of: whom, .ok, found)]
        }
        return [
            DoctorCheck(
                "memory", of: whom, needed > usable ? .fail : .warn, found,
                remedy: "serve fewer models, load them on demand (--load-on-demand with "
                    + "--memory-budget), "
                    + (nodes.contains { $0.workingBytes > 0 } ? "lower --kv-cache, " : "")
                    + "or give more memory; a swap holds two versions at once")
        ]
    }

    /// What models take, in words.
    private static func modelText(_ nodes: [NodeFacts]) -> String {
        let files = "models' files \(byteText(nodes.map(\.fileBytes).saturatingSum))"
        let working = nodes.map(\.workingBytes).saturatingSum
        let budgets = nodes.compactMap(\.memoryBudget)
        return files
            + (working > 0 ? " and \(byteText(working)) of KV memory and to compute" : "")
            + (budgets.isEmpty ? "" : ", at most \(byteText(budgets.saturatingSum))")
    }

    static func openFiles(_ node: NodeFacts, limit: Int) -> DoctorCheck {
        let shown = limit == .max ? "no limit of open files" : "\(limit) files may be open"
        let found = "\(shown), \(node.connections) connections wanted"
        let wanted = [node.connections, otherFiles].saturatingSum
        guard limit < wanted else {
            return DoctorCheck("open files", of: node.name, .ok, found)
        }
        return DoctorCheck(
            "open files", of: node.name, .warn, found,
            remedy: "raise the hard limit ('ulimit -Hn', LimitNOFILE= of systemd) to "
                + "\(wanted), or lower --max-connections; what cannot be opened waits")
    }

    private static func precision(_ node: NodeFacts, on facts: MachineFacts) -> DoctorCheck? {
        guard !facts.processorFlags.isEmpty, !hasBFloat16(facts.processorFlags) else { return nil }
        return DoctorCheck(
            "precision", of: node.name, .warn, "--precision fast, and a processor without bf16",
            remedy: "models run exactly, at the usual pace; leave the flag out, or use a processor "
                + "with avx512_bf16 or amx_bf16")
    }

    // MARK: Addresses and models

    /// Whether a process can listen at an address.
    ///
    /// - Parameters:
    ///   - address: the address.
    ///   - name: the process.
    ///   - problem: why it cannot; `nil` if it can.
    /// - Returns: the check.
    public static func port(
        _ address: NodeFacts.Address, of name: String, problem: String?
    ) -> DoctorCheck {
        let host = address.host.contains(":") ? "[\(address.host)]" : address.host
        let text = "\(host):\(address.port)"
        guard let problem else {
            return DoctorCheck(
                "port", of: name, .ok, address.port == 0 ? "any free one" : "\(text) is free")
        }
        return DoctorCheck(
            "port", of: name, .fail, "\(text): \(problem)",
            remedy: "'ss -ltnp | grep :\(address.port)' shows who has the port; end it, or choose "
                + "another port")
    }

    static func model(_ model: NodeFacts.Model, of subject: String) -> DoctorCheck {
        guard let problem = model.problem else {
            return DoctorCheck("model", of: subject, .ok, model.found)
        }
        return DoctorCheck(
            "model", of: subject, .fail, problem,
            remedy: "see 'A version did not load' in docs/operations.md")
    }
}

/// A number and a noun, in the plural where it is not one.
private func count(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
}
