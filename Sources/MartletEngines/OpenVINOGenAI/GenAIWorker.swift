import MartletCore

/// A worker that has loaded its model; for one thread.
final class GenAIWorker {
    /// What a worker has said.
    struct News {
        var messages: [GenAIMessage] = []
        /// Why it is of no more use; `nil` while it works.
        var fault: String?
    }

    /// The version of the engine in it.
    let version: String

    private let process: GenAIProcess
    private let settings: GenAILoop.Settings
    private let wake: WakeSignal
    private var lastHeard = ContinuousClock.now
    private var limit = RemarkLimit()

    /// Starts a worker, and waits until it has loaded the model.
    ///
    /// - Parameters:
    ///   - settings: how.
    ///   - wake: makes it look around.
    ///   - look: is called meanwhile; says when to call it again, or `nil` to give up.
    /// - Throws: `ServingError` with the worker's reason.
    init(
        _ settings: GenAILoop.Settings, wake: WakeSignal, look: () -> Duration?
    ) throws {
        self.settings = settings
        self.wake = wake
        process = try GenAIProcess(command: settings.command)
        do {
            version = try GenAIWorker.awaitReady(process, settings, wake, look)
        } catch {
            process.end()
            throw error
        }
    }

    private static func awaitReady(
        _ process: GenAIProcess, _ settings: GenAILoop.Settings, _ wake: WakeSignal,
        _ look: () -> Duration?
    ) throws -> String {
        let end = ContinuousClock.now + settings.loadTimeout
        var lastRemark = ""
        var limit = RemarkLimit()
        while ContinuousClock.now < end {
            guard let pause = look() else {
                throw ServingError(.cancelled, "The model is being unloaded")
            }
            let news = process.hear(for: min(pause, end - ContinuousClock.now), or: wake)
            lastRemark = news.remarks.last ?? lastRemark
            limit.shown(news.remarks, now: .now).forEach(settings.log)
            for line in news.messages {
                switch try GenAIMessage(line: line) {
                case .ready(GenAILoop.protocolNumber, let version): return version
                case .ready(let number, _): throw GenAIWorker.stale(number)
                case .fatal(let reason): throw GenAIWorker.unloaded(reason)
                case .step, .refused, .failed: break
                }
            }
            if let fault = news.fault {
                throw GenAIWorker.unloaded(
                    fault + (lastRemark.isEmpty ? "" : ": " + lastRemark.prefix(500)))
            }
        }
        throw GenAIWorker.unloaded(
            "it took longer than \(settings.loadTimeout.components.seconds) seconds")
    }

    private static func unloaded(_ reason: String) -> ServingError {
        ServingError(.unavailable, "The worker of OpenVINO GenAI did not load the model: \(reason)")
    }

    private static func stale(_ number: Int) -> ServingError {
        ServingError(
            .unavailable,
            "The worker of OpenVINO GenAI speaks protocol \(number), and this is made for "
                + "\(GenAILoop.protocolNumber). Run 'scripts/setup.sh openvino-genai' again")
    }

    /// Whether it has not read all that it was told.
    var isBehind: Bool { process.isBehind }

    /// Tells the worker something; does not wait for it to read that.
    ///
    /// - Returns: whether there is a worker to be told.
    func tell(_ command: GenAICommand) -> Bool {
        guard let line = try? command.line() else { return false }
        return process.say(line)
    }

    /// Waits until the worker says something, it is woken, or the time is over.
    ///
    /// - Parameters:
    ///   - timeout: how long at most.
    ///   - isBusy: whether it has something to do, so that it should say something before long.
    /// - Returns: what was heard.
    func hear(for timeout: Duration, isBusy: Bool) -> News {
        let heard = process.hear(for: timeout, or: wake)
        let now = ContinuousClock.now
        limit.shown(heard.remarks, now: now).forEach(settings.log)
        var news = News(fault: heard.fault)
        if !heard.messages.isEmpty || !isBusy { lastHeard = now }
        for line in heard.messages {
            do {
                let message = try GenAIMessage(line: line)
                if case .fatal(let reason) = message { news.fault = reason }
                news.messages.append(message)
            } catch {
                news.fault = (error as? ServingError)?.message ?? "\(error)"
            }
        }
        if isBusy, now - lastHeard > settings.stallTimeout {
            news.fault =
                "it has said nothing for \(settings.stallTimeout.components.seconds) seconds"
        }
        return news
    }

    /// Ends it and waits until it is gone.
    func end() { process.end() }
}
