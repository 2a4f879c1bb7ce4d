internal import CSpawn
import Foundation

/// Why a process could not be started.
struct SpawnError: Error {
    let reason: String

    init(code: Int32) {
        reason = String(cString: strerror(code))
    }
}

/// Starts a process and returns at once.
///
/// The child gets an empty standard input; its output and its errors go to our standard error, so
/// that logs pass through and our own output stays ours. It leads a process group of its own: an
/// interrupt from the terminal reaches us alone, and we stop the children in order.
func spawnProcess(_ specification: ProcessSpecification) -> Result<ProcessID, SpawnError> {
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

    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO)
    #if canImport(Darwin)
        flags |= POSIX_SPAWN_CLOEXEC_DEFAULT
        posix_spawn_file_actions_addinherit_np(&files, STDERR_FILENO)
    #else
        // Foundation and other libraries do not open all their files close-on-exec. The child closes
        // them: a list made here would miss what another thread opens meanwhile.
        let closing = martlet_spawn_close_from(&files, STDERR_FILENO + 1)
        guard closing == 0 else { return .failure(SpawnError(code: closing)) }
    #endif
    posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: flags))

    let environment = childEnvironment(
        of: specification, inherited: ProcessInfo.processInfo.environment)
    let arguments = cStrings([specification.executable] + specification.arguments)
    let variables = cStrings(environment.map { "\($0)=\($1)" })
    defer { for string in arguments + variables { free(string) } }
    var pid: pid_t = 0
    let code = posix_spawn(
        &pid, specification.executable, &files, &attributes, arguments, variables)
    return code == 0 ? .success(pid) : .failure(SpawnError(code: code))
}

/// The variables of a child: those it inherits, and its own over them.
///
/// A process that crashes keeps its connections until Swift's runtime has written its stack, if the
/// runtime has the tool for that, and whoever waits for an answer waits on. Addresses are written
/// at once; to find the names of a program of this size takes half a minute on a busy machine.
func childEnvironment(
    of specification: ProcessSpecification, inherited: [String: String]
) -> [String: String] {
    var environment = ["SWIFT_BACKTRACE": "symbolicate=off"]
    environment.merge(inherited) { $1 }
    environment.merge(specification.environment) { $1 }
    environment[parentVariable] = "\(getpid())"
    return environment
}

/// Copies strings to where C finds them, with the null pointer that ends the list.
private func cStrings(_ strings: [String]) -> [UnsafeMutablePointer<CChar>?] {
    strings.map { strdup($0) } + [nil]
}
