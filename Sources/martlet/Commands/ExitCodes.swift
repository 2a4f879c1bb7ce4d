import ArgumentParser
import Foundation
import MartletConfiguration
import MartletCore
import MartletOperations

/// How the command ends, by the numbers of BSD's `sysexits.h`.
enum ExitCodes {
    /// All went well.
    static let success = ExitCode(0)
    /// It failed, for a reason without a number of its own.
    static let failure = ExitCode(1)
    /// The command line is wrong.
    static let usage = ExitCode(64)
    /// An engine or a service cannot be had.
    static let unavailable = ExitCode(69)
    /// That is not allowed.
    static let permission = ExitCode(77)
    /// A configuration file is wrong.
    static let configuration = ExitCode(78)

    /// Tells an error to people, and gives what the command should throw instead of it.
    ///
    /// - Parameter error: what went wrong.
    /// - Returns: the exit code of an error known here, whose message is then on standard error;
    ///   others as they are, for ArgumentParser to tell.
    static func report(_ error: any Error) -> any Error {
        guard let code = code(of: error) else { return error }
        let text = message(of: error).map { "martlet: \($0)\n" }.joined()
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
        return code
    }

    /// The code that an error ends the process with; nil if the error is not known here.
    static func code(of error: any Error) -> ExitCode? {
        switch error {
        case is ConfigurationError: configuration
        case let failure as SupervisionFailure: ExitCode(failure.code)
        case let error as ServingError:
            switch error.code {
            case .unavailable, .deadlineExceeded: unavailable
            case .invalidArgument: usage
            case .permissionDenied, .unauthenticated: permission
            default: failure
            }
        default: nil
        }
    }

    /// What to tell about an error, line by line.
    static func message(of error: any Error) -> [String] {
        switch error {
        case let error as ConfigurationError: error.messages
        case let error as ServingError:
            [error.message] + (error.cause.map { ["Cause: \($0)"] } ?? [])
        default: ["\(error)"]
        }
    }
}
