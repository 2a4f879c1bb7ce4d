import MartletCore
import MartletEngines
import Synchronization

/// Answers that are more than their text are read by a thread of the reader's.
extension GenerationSession {
    /// Has what a choice says so far read, if there is a session still.
    func readSoon(_ choice: Int, after pause: Duration) {
        reader?.run(pause) { [weak self] in self?.read(choice) }
    }

    /// Has all that a choice says read, now that nothing follows.
    func readToTheEnd(_ choice: Int) {
        // The model has let go of the session by now.
        reader?.run(.zero) { [self] in read(choice) }
    }

    private func read(_ choice: Int) {
        let passage = state.withLock { state in
            state.isOver ? nil : state.choices[choice].passage()
        }
        guard let passage else { return }
        let began = ContinuousClock.now
        let message = passage.read()
        let pause = reader?.pause(after: ContinuousClock.now - began) ?? .zero
        didRead(message, isWhole: passage.isWhole, choice: choice, pause)
    }

    private func didRead(
        _ message: GeneratedMessage?, isWhole: Bool, choice: Int, _ pause: Duration
    ) {
        let (isFull, isToRead) = advance { state -> (Bool, Bool) in
            // Meanwhile it may have turned out that there is nothing to read, and ended.
            guard !state.isOver, state.choices[choice].finish == nil else { return (false, false) }
            let news = state.choices[choice].didRead(message, isWhole: isWhole)
            let isTaken = tell(news, choice: choice, &state)
            return (!isTaken, state.choices[choice].awaitReading())
        }
        if isFull {
            fail(GenerationSession.slowClient)
        } else if isToRead {
            readSoon(choice, after: pause)
        } else if isWhole {
            finishIfDone()
        }
    }
}
