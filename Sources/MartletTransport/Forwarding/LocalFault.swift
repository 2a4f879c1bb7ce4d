import MartletCore
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Why this machine itself could not open a connection, which says nothing of whoever it was to.
///
/// The raw values are labels of metrics.
public enum LocalFault: String, Error, Sendable, Hashable, CaseIterable {
    /// The process has as many files open as it may (`EMFILE`).
    case openFiles = "open_files"
    /// The machine has as many files open as it may (`ENFILE`).
    case openFilesOfMachine = "open_files_of_machine"
    /// The kernel has no memory for a connection (`ENOBUFS`, `ENOMEM`).
    case memory
    /// There is no local address or port for another connection there (`EADDRNOTAVAIL`).
    case ports

    /// What is wrong.
    public var text: String {
        switch self {
        case .openFiles: "this process has as many files open as it may (EMFILE)"
        case .openFilesOfMachine: "this machine has as many files open as it may (ENFILE)"
        case .memory: "the kernel has no memory for another connection (ENOBUFS, ENOMEM)"
        case .ports:
            "this machine has no local address or port left for a connection (EADDRNOTAVAIL)"
        }
    }

    /// What mends it.
    public var remedy: String {
        switch self {
        case .openFiles: "raise the limit of open files (ulimit -n, LimitNOFILE=)"
        case .openFilesOfMachine: "raise the machine's limit of open files (sysctl fs.file-max)"
        case .memory:
            "give the machine or its container more memory, or raise sysctl net.ipv4.tcp_mem"
        case .ports: "widen sysctl net.ipv4.ip_local_port_range, or lower breakers.connections_max"
        }
    }

    /// What an error of the system's calls for sockets is the fault of; `nil` for another machine.
    init?(errno code: CInt) {
        switch code {
        case EMFILE: self = .openFiles
        case ENFILE: self = .openFilesOfMachine
        case ENOBUFS, ENOMEM: self = .memory
        case EADDRNOTAVAIL: self = .ports
        default: return nil
        }
    }

    /// What kept a connection from coming about; `nil` where this machine did not.
    ///
    /// - Parameter error: how connecting ended, or an error that was caused so.
    public init?(_ error: any Error) {
        switch error {
        case let error as ServingError:
            guard let cause = error.cause else { return nil }
            self.init(cause)
        case let error as IOError: self.init(errno: error.errnoCode)
        case let error as NIOConnectionError where error.connectionErrors.isEmpty:
            // No address was found. How that failed is told of in no way that can be relied on.
            self.init(openingAFile: ())
        case let error as NIOConnectionError: self.init(all: error.connectionErrors.map(\.error))
        default: return nil
        }
    }

    /// The fault of all addresses of a host together; `nil` where one of them failed otherwise: a
    /// machine without IPv6 has no address for it, and none is needed.
    init?(all errors: [any Error]) {
        let faults = errors.compactMap { LocalFault($0) }
        guard let first = faults.first, faults.count == errors.count else { return nil }
        self = first
    }

    /// What keeps this process from opening files now; `nil` where nothing does.
    private init?(openingAFile _: Void) {
        let file = dup(STDERR_FILENO)
        guard file < 0 else {
            close(file)
            return nil
        }
        self.init(errno: errno)
    }
}

extension ForwardingFailure {
    /// Why a connection did not come about.
    init(connecting error: (any Error)?) {
        let fault = error.flatMap { LocalFault($0) }
        self = fault.map { ForwardingFailure.localFault($0) } ?? .connectFailed
    }

    /// What this machine could not do, where it was that.
    public var localFault: LocalFault? {
        if case .localFault(let fault) = self { fault } else { nil }
    }
}

extension Result {
    /// Why there is no success.
    var error: Failure? { if case .failure(let error) = self { error } else { nil } }
}
