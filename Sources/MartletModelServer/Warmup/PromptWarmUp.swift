internal import Dispatch
internal import Foundation
import MartletCore
import MartletEngines
import MartletTransport
internal import Synchronization

/// Has a language model read the prompts that come with a version, so that what its requests begin
/// with is computed before the first of them.
///
/// Where two engines have the version, both read them: clients that come together are answered by
/// the second.
struct PromptWarmUp {
    /// Where a version keeps them: bodies of requests for chats or completions, one a line.
    static let fileName = "assets.extra/warmup_prompts.jsonl"

    /// Largest file, in bytes.
    static let fileBytesMax = 4 << 20

    /// Most prompts of a file.
    static let promptsMax = 256

    /// How long all of them may take.
    static let timeout = Duration.seconds(600)

    /// What the engine has beyond its deadline to say that a prompt is late.
    private static let grace = Duration.seconds(60)

    /// What was read.
    struct Report: Equatable {
        var prompts = 0
        var tokens = 0
    }

    let limits: Limits
    let bounds: OpenAILimits

    /// Reads all prompts, one after the other; blocks.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - loaded: the version, which answers nobody yet.
    ///   - model: its model.
    /// - Returns: how much was read.
    /// - Throws: `ServingError` that names the line and what to do.
    func run(
        _ path: String, loaded: LoadedServable, model: any GenerativeModel
    ) throws -> Report {
        guard model.description.generates else {
            throw ServingError.invalidArgument(
                "\(PromptWarmUp.fileName) is for models that generate, and \(model.id) does not; "
                    + "remove the file")
        }
        let content = try content(of: path)
        let deadline = Deadline.after(PromptWarmUp.timeout)
        var report = Report()
        let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let body = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            guard !body.isEmpty else { continue }
            do {
                let requests = try requests(
                    of: Array(body), loaded: loaded, model: model, deadline: deadline)
                report.prompts += requests.count
                guard report.prompts <= PromptWarmUp.promptsMax else {
                    throw ServingError.invalidArgument(
                        "it is the file's \(report.prompts). prompt; at most "
                            + "\(PromptWarmUp.promptsMax) are taken")
                }
                for request in requests {
                    report.tokens += request.prompt.count
                    try read(request, by: model)
                    try readElsewhere(request, model)
                }
            } catch {
                throw PromptWarmUp.explained(error, line: index + 1)
            }
        }
        return report
    }

    private func content(of path: String) throws -> Data {
        let most = PromptWarmUp.fileBytesMax
        let content: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { try? file.close() }
            content = try file.read(upToCount: most + 1) ?? Data()
        } catch {
            throw ServingError(
                .failedPrecondition,
                "\(PromptWarmUp.fileName) cannot be read; make it a readable file or remove it",
                cause: error)
        }
        guard content.count <= most else {
            throw ServingError.invalidArgument(
                "\(PromptWarmUp.fileName) has more than \(most) bytes; keep the prompts that most "
                    + "requests begin with")
        }
        return content
    }

    private static func explained(_ error: any Error, line: Int) -> ServingError {
        let known = error as? ServingError ?? ServingError(.internal, "\(error)", cause: error)
        return ServingError(
            known.code,
            "Line \(line) of \(fileName): \(known.message). Correct or remove the line, or load "
                + "the version by --no-warm-up", cause: known.cause)
    }

    // MARK: Requests

    /// One request for each prompt of a body, made as a client's would be, that generates nearly
    /// nothing.
    private func requests(
        of body: [UInt8], loaded: LoadedServable, model: any GenerativeModel, deadline: Deadline
    ) throws -> [GenerationRequest] {
        let fields = try RequestFields(parsing: body, limits: limits)
        guard let lease = ServableLease(loaded) else {
            throw ServingError(.unavailable, "Model \(model.id) is being unloaded")
        }
        let name = try RequestFields.model(fields, bounds: bounds)
        let last = name.split(separator: ":").last.map(String.init)
        var standing = GenerationStanding()
        standing.tenant = try fields.text("tenant", bytesMaximum: bounds.nameBytes) ?? ""
        let planner = GenerationPlanner(
            target: GenerationTarget(
                lease: lease, model: model,
                adapter: last.flatMap { model.description.adapters.contains($0) ? $0 : nil }),
            context: RequestContext(remoteAddress: "", deadline: deadline), standing: standing)
        let plan =
            try fields.value("prompt") == nil
            ? planner.plan(ChatRequest(decoding: body, limits: limits, bounds: bounds))
            : planner.plan(CompletionRequest(decoding: body, limits: limits, bounds: bounds))
        // The choices of one prompt would read the same.
        return stride(from: 0, to: plan.requests.count, by: max(1, plan.choicesPerPrompt)).map {
            var request = plan.requests[$0]
            request.newTokensMax = 1
            request.sampling = SamplingParameters()
            request.chat = nil
            return request
        }
    }

    /// Has the other engines of a model read what the first has read, as far as they can: what they
    /// do not know is the first one's when clients ask for it, and so it is while they have no
    /// worker.
    private func readElsewhere(_ request: GenerationRequest, _ model: any GenerativeModel) throws {
        for part in model.parts.dropFirst() where part.model.description.remembersPrompts {
            do {
                try read(request, by: part.model)
            } catch let error as ServingError where PromptWarmUp.isFirstOnes(error) { continue }
        }
    }

    private static func isFirstOnes(_ error: ServingError) -> Bool {
        [.invalidArgument, .notFound, .unimplemented, .unavailable].contains(error.code)
    }

    private func read(_ request: GenerationRequest, by model: any GenerativeModel) throws {
        let model = model.parts.first?.model ?? model
        let end = PromptEnd()
        let id: GenerationID
        do {
            id = try model.submit(request) { end.take($0) }
        } catch {
            throw error.error
        }
        defer { model.cancel(id) }
        try end.wait(for: PromptWarmUp.timeout + PromptWarmUp.grace)
    }
}

/// Waits for a prompt to be read.
private final class PromptEnd: Sendable {
    private let error = Mutex<ServingError?>(nil)
    private let isOver = DispatchSemaphore(value: 0)

    func take(_ event: GenerationEvent) {
        switch event {
        case .started, .token: return
        case .finished(.stop, _), .finished(.length, _): break
        case .finished(.deadline, _): error.withLock { $0 = PromptEnd.late }
        case .finished(.cancelled, _):
            error.withLock { $0 = ServingError(.unavailable, "the model is being unloaded") }
        case .failed(let reason, _): error.withLock { $0 = reason }
        }
        isOver.signal()
    }

    func wait(for timeout: Duration) throws {
        guard isOver.wait(timeout: .now() + timeout.seconds) == .success else {
            throw PromptEnd.late
        }
        if let error = error.withLock({ $0 }) { throw error }
    }

    private static let late = ServingError(
        .deadlineExceeded,
        "the prompts up to this one take more than "
            + "\(PromptWarmUp.timeout.components.seconds) seconds")
}
