import Foundation
import MartletCore
import Testing

@testable import MartletEngines

/// What becomes of requests that wait as their worker ends.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct GenAIOutageTests {
    /// A loop whose worker is full, with one request that waits.
    private struct FullLoop {
        let running: GenAIRunningLoop
        let mark: Mark
        let others: [GenerationListener]
        let id: GenerationID
        let waiting: GenerationListener

        init(
            _ change: (inout GenAILoop.Settings) -> Void = { _ in },
            waiting request: (inout GenerationRequest) -> Void = { _ in }
        ) async throws {
            let mark = Mark()
            let running = try GenAIRunningLoop(
                mark.path, scheduling: GenAIFakeWorker.spacious
            ) { settings in
                // Longer than any machine takes.
                settings.patience = .seconds(600)
                change(&settings)
            }
            self.running = running
            self.mark = mark
            others = try (0..<4).map { _ in
                try GenAIRunningLoop.submit([5], to: running.loop).1
            }
            for listener in others { await listener.firstToken() }
            (id, waiting) = try GenAIRunningLoop.submit(
                [100], most: 2, to: running.loop, request)
            #expect(running.loop.load.waiting == 1)
        }

        /// Ends the worker with all that it has, and waits until the loop has noticed.
        func endWorker() async {
            mark.put(".end")
            for listener in others {
                let error = await #expect(throws: ServingError.self) { try await listener.end() }
                #expect(error?.code == .unavailable)
            }
        }
    }

    /// A file whose being there makes that workers do not load; with a suffix, that they load for
    /// ever, or that the one that is at work ends.
    private final class Mark {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-genai-mark-\(UUID().uuidString)").path

        func put(_ suffix: String) {
            #expect(FileManager.default.createFile(atPath: path + suffix, contents: nil))
        }

        deinit {
            for suffix in ["", ".slow", ".end"] {
                try? FileManager.default.removeItem(atPath: path + suffix)
            }
        }
    }

    @Test func whatWaits_goesToTheNextWorker() async throws {
        let full = try await FullLoop()
        await full.endWorker()
        #expect(try await full.waiting.end() == .length)
        #expect(full.waiting.ids == [101, 102])
        #expect(full.running.loop.load.counters.failed == 4)
        #expect(full.running.loop.load.counters.failedSteps == 1)
    }

    @Test func whatAnotherEngineTakes_waitsForNoWorker() async throws {
        let full = try await FullLoop(waiting: { $0.hasOtherEngine = true })
        full.mark.put(".slow")
        await full.endWorker()
        let error = await #expect(throws: ServingError.self) { try await full.waiting.end() }
        #expect(error?.code == .unavailable)
    }

    /// Whether no other worker loads, or loads in time.
    @Test(arguments: ["", ".slow"])
    func whatWaitsForTooLong_isToldWhenToComeBack(_ suffix: String) async throws {
        let full = try await FullLoop({ $0.patience = .seconds(2) })
        full.mark.put(suffix)
        await full.endWorker()
        let error = await #expect(throws: ServingError.self) { try await full.waiting.end() }
        #expect(error?.code == .unavailable)
        let refusal = try #require(error?.cause as? GenerationRefusal)
        #expect((refusal.retryAfter ?? .zero) >= .seconds(1))
    }

    @Test func whatWouldWaitForLong_isToldAtOnce() async throws {
        let full = try await FullLoop(
            { settings in
                settings.pauseMin = .seconds(500)
                settings.pauseMax = .seconds(500)
                settings.patience = .seconds(400)
            })
        await full.endWorker()
        let error = await #expect(throws: ServingError.self) { try await full.waiting.end() }
        let refusal = try #require(error?.cause as? GenerationRefusal)
        #expect((refusal.retryAfter ?? .zero) >= .seconds(100))
    }

    @Test func deadline_holdsWhileAWorkerLoads() async throws {
        let full = try await FullLoop(
            waiting: { $0.deadline = .after(.seconds(5)) })
        full.mark.put(".slow")
        await full.endWorker()
        #expect(try await full.waiting.end() == .deadline)
    }

    @Test func cancelled_endsWhileAWorkerLoads() async throws {
        let full = try await FullLoop()
        full.mark.put(".slow")
        await full.endWorker()
        full.running.loop.cancel(full.id, reason: .cancelled)
        #expect(try await full.waiting.end() == .cancelled)
        #expect(full.running.loop.load.waiting == 0)
    }

    @Test(arguments: [Duration.milliseconds(10), .seconds(500)])
    func unloaded_endsWhatWaitsForAWorker(_ pause: Duration) async throws {
        let full = try await FullLoop(
            { settings in
                settings.pauseMin = pause
                settings.pauseMax = pause
            })
        full.mark.put(".slow")
        await full.endWorker()
        full.running.loop.end()
        #expect(try await full.waiting.end() == .cancelled)
    }
}
