import Foundation
import MartletCore

@testable import MartletEngines

/// A loop over a fake worker.
final class GenAIRunningLoop: Sendable {
    let loop: GenAILoop
    let folder: URL

    init(
        _ behaviour: String = "works", scheduling: SchedulerSettings = GenAIFakeWorker.scheduling,
        _ change: (inout GenAILoop.Settings) -> Void = { _ in }
    ) throws {
        let (folder, command) = try GenAIFakeWorker.make(behaviour)
        var settings = GenAILoop.Settings(command: command)
        settings.pauseMin = .milliseconds(10)
        change(&settings)
        self.folder = folder
        do {
            loop = try GenAILoop(settings, scheduling: scheduling, name: "fake") { token, _ in
                Array("<\(token)>".utf8)
            }
        } catch {
            try? FileManager.default.removeItem(at: folder)
            throw error
        }
    }

    deinit {
        loop.end()
        try? FileManager.default.removeItem(at: folder)
    }

    static func submit(
        _ prompt: [TokenID], most: Int? = nil, to loop: GenAILoop,
        _ change: (inout GenerationRequest) -> Void = { _ in }
    ) throws -> (GenerationID, GenerationListener) {
        let listener = GenerationListener()
        var request = GenerationRequest(prompt: prompt, newTokensMax: most)
        change(&request)
        return (try loop.submit(request) { listener.take($0) }, listener)
    }
}
