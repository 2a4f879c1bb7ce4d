import NIOCore

/// The commands of one connection that have no reply yet, in the order in which replies come.
///
/// A command that has waited too long is given up, but keeps its place: its reply may still come
/// and must not be taken for that of the next.
struct RedisPipeline<Completion> {
    /// A command under way.
    struct Entry {
        let command: RedisCommand
        /// Whether `ASKING` goes before it, which has a reply of its own.
        let isAsking: Bool
        /// The time by which a reply is wanted.
        let deadline: Duration
        /// Who wants the reply; nil once nobody does.
        fileprivate(set) var completion: Completion?
        fileprivate var repliesToSkip = 0

        init(
            _ command: RedisCommand, isAsking: Bool = false, deadline: Duration,
            completion: Completion
        ) {
            self.command = command
            self.isAsking = isAsking
            self.deadline = deadline
            self.completion = completion
        }

        fileprivate var bytes: Int { command.wireBytesMax }
    }

    /// What a reply turned out to be.
    enum Receipt {
        /// The reply that somebody waits for.
        case wanted(Completion)
        /// One that is of no use any more.
        case unwanted
        /// One that no command asked for: the connection is out of step.
        case unexpected
    }

    private let commandsMax: Int
    private let bytesMax: Int
    private var waiting = CircularBuffer<Entry>()
    private var sent = CircularBuffer<Entry>()
    private var bytes = 0

    init(commandsMax: Int, bytesMax: Int) {
        self.commandsMax = max(1, commandsMax)
        self.bytesMax = max(1, bytesMax)
    }

    /// Whether there is nothing under way.
    var isEmpty: Bool { waiting.isEmpty && sent.isEmpty }

    /// Whether a reply is to come.
    var awaitsReplies: Bool { !sent.isEmpty }

    /// The time by which the next command is to be given up; nil if none waits for a reply.
    var earliestDeadline: Duration? {
        var earliest: Duration?
        for entry in sent where entry.completion != nil {
            earliest = min(earliest ?? entry.deadline, entry.deadline)
        }
        for entry in waiting { earliest = min(earliest ?? entry.deadline, entry.deadline) }
        return earliest
    }

    /// Takes a command to be sent; false if there is no room for it.
    ///
    /// However large, a command fits if nothing else is under way.
    mutating func add(_ entry: Entry) -> Bool {
        let (sum, overflows) = bytes.addingReportingOverflow(entry.bytes)
        guard isEmpty || (waiting.count + sent.count < commandsMax && !overflows && sum <= bytesMax)
        else { return false }
        bytes = sum
        waiting.append(entry)
        return true
    }

    /// Writes all commands that have not been sent.
    mutating func send(to buffer: inout ByteBuffer) {
        while var entry = waiting.popFirst() {
            if entry.isAsking {
                RedisCommand("ASKING").write(to: &buffer)
                entry.repliesToSkip = 1
            }
            entry.command.write(to: &buffer)
            sent.append(entry)
        }
    }

    /// Says whose reply has come.
    mutating func receive() -> Receipt {
        guard var entry = sent.popFirst() else { return .unexpected }
        guard entry.repliesToSkip == 0 else {
            entry.repliesToSkip -= 1
            sent.prepend(entry)
            return .unwanted
        }
        bytes -= entry.bytes
        return entry.completion.map { .wanted($0) } ?? .unwanted
    }

    /// Gives up commands whose time is over; those not sent never will be.
    ///
    /// - Returns: who waited, and whether any of their commands had been sent.
    mutating func expire(now: Duration) -> (completions: [Completion], wereSent: Bool) {
        var completions: [Completion] = []
        for index in sent.indices where sent[index].deadline <= now {
            guard let completion = sent[index].completion else { continue }
            completions.append(completion)
            sent[index].completion = nil
        }
        let wereSent = !completions.isEmpty
        for entry in waiting where entry.deadline <= now {
            bytes -= entry.bytes
            if let completion = entry.completion { completions.append(completion) }
        }
        waiting.removeAll { $0.deadline <= now }
        return (completions, wereSent)
    }

    /// Gives up everything; who waited.
    mutating func removeAll() -> [Completion] {
        let completions = sent.compactMap(\.completion) + waiting.compactMap(\.completion)
        sent.removeAll()
        waiting.removeAll()
        bytes = 0
        return completions
    }
}
