import MartletCore
import MartletEngines

@testable import MartletModelServer

/// A chat whose answer is thoughts up to a bar.
struct ThinkingChat: RenderedChat {
    let prompt = "prompt"
    let stops: [String] = []
    let isPlain = false
    /// Whether an answer without a bar is not of the form.
    var needsBar = false

    func read(_ text: String, isPartial: Bool) throws -> GeneratedMessage {
        let parts = text.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 || isPartial || !needsBar else {
            throw ServingError(.internal, "no bar")
        }
        return GeneratedMessage(
            content: parts.count == 2 ? String(parts[1]) : "", thoughts: String(parts[0]))
    }
}
