internal import CLlama
internal import Synchronization

/// How grave something is that llama.cpp says.
public enum LlamaLogLevel: Int32, Sendable, Comparable {
    /// Details.
    case debug = 1
    /// What is going on.
    case information = 2
    /// What may be wrong.
    case warning = 3
    /// What failed.
    case error = 4

    /// The less grave sorts first.
    public static func < (left: LlamaLogLevel, right: LlamaLogLevel) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// Where the lines of the process's one library go.
private let receiver = Mutex<LlamaLog?>(nil)

private struct LlamaLog: Sendable {
    let level: LlamaLogLevel
    let body: @Sendable (LlamaLogLevel, String) -> Void
}

extension LlamaLibrary {
    /// Takes what llama.cpp logs; until then it says nothing, but for its last words before it
    /// ends the process, which go to standard error.
    ///
    /// - Parameters:
    ///   - level: what is less grave is dropped.
    ///   - body: told a line; called by any thread, and must not call the library.
    public func takeLog(
        from level: LlamaLogLevel, _ body: @escaping @Sendable (LlamaLogLevel, String) -> Void
    ) {
        receiver.withLock { $0 = LlamaLog(level: level, body: body) }
        api.set_log(
            { number, text, _ in
                guard let level = LlamaLogLevel(rawValue: number), let text,
                    let log = receiver.withLock({ $0 }), level >= log.level
                else { return }
                let line = String(cString: text)
                log.body(level, line.last?.isNewline == true ? String(line.dropLast()) : line)
            }, nil)
    }
}
