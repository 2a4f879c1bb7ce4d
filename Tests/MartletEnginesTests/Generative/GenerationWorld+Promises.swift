import MartletTestKit

@testable import MartletEngines

extension GenerationWorld {
    mutating func check(_ plan: StepPlan) {
        guard !plan.chunks.isEmpty else {
            return require(alive.isEmpty, "nothing to do, and \(alive.count) wait for it")
        }
        require(plan.tokens.count <= settings.stepTokensMax, "\(plan.tokens.count) tokens")
        require(
            Set(plan.chunks.map(\.slot)).count == plan.chunks.count, "two chunks have one slot")
        var next = 0
        var prefill = 0
        for chunk in plan.chunks {
            require(chunk.tokens.lowerBound == next, "tokens belong to nobody")
            next = chunk.tokens.upperBound
            guard let client = clients[chunk.id] else { return require(false, "nobody's chunk") }
            check(chunk, client, plan)
            let end = Int(chunk.start) + chunk.tokens.count - chunk.drafts
            let isLast = end == client.tokens.count
            // Those that end may be more.
            if !decoding.contains(chunk.id), !isLast { prefill += end - Int(chunk.start) }
            require(chunk.logits == (isLast ? chunk.drafts + 1 : 0), "\(chunk.logits) logits")
        }
        require(next == plan.tokens.count, "tokens belong to nobody")
        // Who was preempted in this very step, and let in again, did not decode meanwhile. Where
        // cells are short, a prompt that was to end does not.
        let isBound =
            preemptions == scheduler.counters.preemptions
            && memory.used + plan.tokens.count < memory.capacity
        if isBound, plan.chunks.contains(where: { decoding.contains($0.id) }) {
            let bound = settings.prefillTokens(whileOthersDecode: true)
            require(prefill <= bound, "\(prefill) prompt tokens keep others waiting, not \(bound)")
        }
        checkNobodyMissesOut(plan)
    }

    private mutating func check(_ chunk: StepChunk, _ client: Client, _ plan: StepPlan) {
        require(client.end == nil, "\(chunk.id) has ended, and runs")
        require(client.request.adapter == plan.adapter, "\(chunk.id) has the wrong adapter")
        require(client.hasStarted, "\(chunk.id) runs and has not started")
        let own = plan.tokens[chunk.tokens].dropLast(chunk.drafts)
        let end = min(client.tokens.count, Int(chunk.start) + own.count)
        require(
            own.elementsEqual(client.tokens[min(Int(chunk.start), end)..<end]),
            "\(chunk.id) is given wrong tokens")
        require(
            Int(chunk.start) + chunk.tokens.count <= settings.contextTokensMax,
            "\(chunk.id) outgrows the context")
        require(chunk.drafts == 0 || traits.drafts, "unwanted guesses")
    }

    /// Who decodes has a token in each step of its group, unless cells are short or a step failed.
    private mutating func checkNobodyMissesOut(_ plan: StepPlan) {
        guard !traits.failures else { return }
        let planned = Set(plan.chunks.map(\.slot))
        for slot in scheduler.running where !planned.contains(slot) {
            guard let sequence = scheduler.sequences[Int(slot)], sequence.isDecoding,
                sequence.request.adapter == plan.adapter
            else { continue }
            require(
                memory.used + plan.tokens.count >= memory.capacity && scheduler.tree.cached.isEmpty,
                "\(sequence.id) misses its turn though there is room")
        }
    }

    /// The scheduler's count of cells is the engine's.
    mutating func checkCells(beside planned: Int) {
        guard traits.sharing != .byCopy else {
            for slot in 0..<SlotID(settings.slots) {
                let count = memory.count(of: slot)
                require(count <= settings.contextTokensMax, "slot \(slot) has \(count) cells")
            }
            return
        }
        let load = scheduler.load
        require(
            load.cellsUsed == memory.used + planned,
            "\(load.cellsUsed) cells are counted, \(memory.used) + \(planned) used")
        require(load.cellsUsed <= settings.cells, "\(load.cellsUsed) cells")
        require(load.cellsNeeded <= load.cellsUsed, "\(load.cellsNeeded) cells are needed")
    }

    /// The tree says of each slot what the engine has there.
    mutating func checkTree() {
        if let complaint = scheduler.tree.complaint { require(false, complaint) }
        for slot in scheduler.tree.cached {
            let cached = scheduler.tree.tokens(of: slot)
            require(cached == memory.tokens(of: slot), "cached slot \(slot) holds something else")
            require(!scheduler.running.contains(slot), "slot \(slot) is cached, and runs")
        }
        for slot in scheduler.running {
            guard let sequence = scheduler.sequences[Int(slot)] else {
                return require(false, "nobody runs in slot \(slot)")
            }
            let computed = sequence.tokens.prefix(sequence.computed)
            require(computed.elementsEqual(memory.tokens(of: slot)), "slot \(slot) has others")
            guard scheduler.tree.running.contains(slot) else { continue }
            let shared = sequence.tokens.prefix(sequence.shared)
            require(
                shared.elementsEqual(scheduler.tree.tokens(of: slot)), "slot \(slot) shares others")
        }
        let taken = scheduler.running.count + scheduler.tree.cached.count
        require(taken + scheduler.freeSlots.count == settings.slots, "slots are lost")
    }

    mutating func checkCounters(_ counters: GenerationCounters) {
        let ended =
            counters.completed + counters.cancelled + counters.expired + counters.failed
        require(counters.submitted == clients.count, "\(counters.submitted) were submitted")
        require(ended == clients.count, "\(ended) of \(clients.count) ended")
        require(counters.generatedTokens == generatedTokens, "tokens are miscounted")
        require(counters.draftsAccepted <= counters.draftsProposed, "guesses are miscounted")
        require(
            counters.modelDraftsAccepted <= counters.modelDraftsProposed,
            "guesses of the draft model are miscounted")
        require(counters.prefixHitTokens <= counters.promptTokens, "hits are miscounted")
    }
}

extension PrefixTree {
    /// A slot's sequence.
    func tokens(of slot: SlotID) -> [TokenID] {
        guard let end = ends[Int(slot)] else { return [] }
        return path(to: end).reversed().flatMap { nodes[$0].tokens }
    }

    /// What is inconsistent, if anything is.
    var complaint: String? {
        var (cells, needed, live) = (0, 0, 0)
        var stack = Array(roots.values)
        for (scope, root) in roots where nodes[root].scope != scope { return "a root is lost" }
        while let index = stack.popLast() {
            let node = nodes[index]
            live += 1
            cells += node.tokens.count
            if !node.holders.isDisjoint(with: running) { needed += node.tokens.count }
            if node.holders.isEmpty { return "node \(index) is nobody's" }
            if node.tokens.isEmpty != (node.parent == nil) { return "node \(index) is empty" }
            if let complaint = complaint(of: node, index) { return complaint }
            stack += node.children
        }
        if live + freeNodes.count != nodes.count { return "nodes are lost" }
        if cells != self.cells { return "\(self.cells) cells are counted, not \(cells)" }
        if needed != neededCells { return "\(neededCells) cells are needed, not \(needed)" }
        return nil
    }

    private func complaint(of node: Node, _ index: Int) -> String? {
        var below = SlotSet()
        for child in node.children {
            if nodes[child].parent != index { return "node \(child) has another parent" }
            if nodes[child].start != node.start + node.tokens.count { return "a node is misplaced" }
            for slot in nodes[child].holders {
                if below.contains(slot) { return "slot \(slot) goes two ways" }
                below.insert(slot)
            }
        }
        let first = Set(node.children.map { nodes[$0].tokens.first })
        if first.count != node.children.count { return "children of \(index) begin alike" }
        for slot in node.holders where !below.contains(slot) {
            if ends[Int(slot)] != index { return "slot \(slot) should end at \(index)" }
            below.insert(slot)
        }
        if below != node.holders { return "a child of \(index) has more holders" }
        if node.parent != nil, node.children.count == 1,
            nodes[node.children[0]].holders == node.holders
        {
            return "node \(index) should be one with its child"
        }
        for slot in node.holders where running.contains(slot) == cached.contains(slot) {
            return "slot \(slot) is neither running nor cached, or both"
        }
        return nil
    }
}
