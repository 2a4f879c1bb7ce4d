import Synchronization

/// What the body of a request tells of where it is to go.
extension RequestState {
    /// Takes in a body that was awaited, whatever it was awaited for.
    func read(_ body: [UInt8]) {
        let directory = pool.directory
        if namesModelInBody, directory.isUneven {
            let name = MessageModel.model(ofCompletion: body)
            asked.withLock { $0 = name }
        }
        guard let prompts = pool.prompts else { return }
        let blocks = prompts.blocks(
            inBody: body, tenant: grant?.tenant, isAdapter: directory.isAdapter)
        prompt.withLock { $0 = blocks }
    }

    /// The model that it is for, where its path or body says so and not all endpoints have it.
    var model: String? { asked.withLock { $0 } }
}
