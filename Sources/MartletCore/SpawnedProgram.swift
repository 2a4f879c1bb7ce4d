internal import CSpawn
internal import Foundation

/// A program that is started as a process of its own.
///
/// The process leads a group of its own: an interrupt from the terminal reaches us alone, and we
/// stop it in order. It has none of our files but those that become its standard ones, and neither
/// ignores nor blocks the signals that libraries here do.
public struct SpawnedProgram: Sendable {
    /// Why a program could not be started.
    public struct Failure: Error {
        /// The system's words.
        public let reason: String

        init(code: Int32) {
            reason = String(cString: strerror(code))
        }
    }

    /// The executable's path; no search path is consulted.
    public let executable: String

    /// The arguments behind the executable's own name.
    public let arguments: [String]

    /// Variables set over those of this process, which it inherits.
    public let environment: [String: String]

    /// The file that becomes its standard input; `nil` for an empty one.
    public let input: Int32?

    /// The file that its output and its errors go to; `nil` for our standard error, so that our
    /// own output stays ours.
    public let output: Int32?

    /// Describes a program.
    public init(
        executable: String, arguments: [String], environment: [String: String] = [:],
        input: Int32? = nil, output: Int32? = nil
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.input = input
        self.output = output
    }

    /// Starts a process on the calling thread, and returns at once.
    ///
    /// - Returns: its number, which is the caller's to wait for.
    public func start() throws(Failure) -> Int32 {
        #if canImport(Darwin)
            var attributes: posix_spawnattr_t?
            var files: posix_spawn_file_actions_t?
        #else
            var attributes = posix_spawnattr_t()
            var files = posix_spawn_file_actions_t()
        #endif
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }

        // Libraries here ignore or block these signals, and a child would inherit that.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for signal in [SIGTERM, SIGINT, SIGPIPE] { sigaddset(&defaults, signal) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setpgroup(&attributes, 0)
        var flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP

        if let input {
            posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&files, output ?? STDERR_FILENO, STDOUT_FILENO)
        if let output { posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO) }
        #if canImport(Darwin)
            flags |= POSIX_SPAWN_CLOEXEC_DEFAULT
            if output == nil { posix_spawn_file_actions_addinherit_np(&files, STDERR_FILENO) }
        #else
            // Foundation and other libraries do not open all their files close-on-exec. The child
            // closes them: a list made here would miss what another thread opens meanwhile.
            let closing = martlet_spawn_close_from(&files, STDERR_FILENO + 1)
            guard closing == 0 else { throw Failure(code: closing) }
        #endif
        posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: flags))

        let words = SpawnedProgram.cStrings([executable] + arguments)
        let variables = SpawnedProgram.cStrings(
            ProcessInfo.processInfo.environment.merging(environment) { $1 }
                .map { "\($0)=\($1)" })
        defer { for string in words + variables { free(string) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, executable, &files, &attributes, words, variables)
        guard code == 0 else { throw Failure(code: code) }
        return pid
    }

    /// Copies strings to where C finds them, with the null pointer that ends the list.
    private static func cStrings(_ strings: [String]) -> [UnsafeMutablePointer<CChar>?] {
        strings.map { strdup($0) } + [nil]
    }
}
