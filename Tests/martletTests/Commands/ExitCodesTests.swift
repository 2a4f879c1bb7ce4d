import ArgumentParser
import MartletConfiguration
import MartletCore
import MartletModelServer
import MartletOperations
import Testing

@testable import martlet

@Suite("Exit codes")
struct ExitCodesTests {
    @Test func errors_haveTheCodesOfSysexits() {
        #expect(ExitCodes.code(of: ServingError(.unavailable, "")) == ExitCode(69))
        #expect(ExitCodes.code(of: ServingError(.deadlineExceeded, "")) == ExitCode(69))
        #expect(ExitCodes.code(of: ServingError(.invalidArgument, "")) == ExitCode(64))
        #expect(ExitCodes.code(of: ServingError(.permissionDenied, "")) == ExitCode(77))
        #expect(ExitCodes.code(of: ServingError(.unauthenticated, "")) == ExitCode(77))
        #expect(ExitCodes.code(of: ServingError(.internal, "")) == ExitCode(1))
        #expect(ExitCodes.code(of: ConfigurationError(file: "f", problems: [])) == ExitCode(78))
        #expect(ExitCodes.code(of: SupervisionFailure(name: "n", code: 69)) == ExitCode(69))
        #expect(ExitCodes.code(of: CancellationError()) == nil)
    }

    @Test func message_isThatOfTheErrorAndItsCause() {
        let error = ServingError(.internal, "It broke.", cause: CancellationError())
        #expect(ExitCodes.message(of: error) == ["It broke.", "Cause: CancellationError()"])
    }

    @Test func commandLines_areUnderstood() throws {
        let up = try UpCommand.parse(["-c", "a.yaml", "--no-access-log", "--log-format", "json"])
        #expect(up.config == "a.yaml")
        #expect(
            up.logOptions.arguments == [
                "--log-level=info", "--log-format=json", "--no-access-log",
            ])
        let status = try StatusCommand.parse(["--admin", "[::1]:9", "--json"])
        #expect(status.admin == NetworkAddress(host: "::1", port: 9))
        let load = try ModelLoadCommand.parse([
            "m", "--versions", "3,1", "--label", "a=1", "--label", "b=3",
        ])
        #expect(load.versions?.policy == .specific([1, 3]))
        #expect(load.labels.map(\.version) == [1, 3])
        for (text, policy) in [("all", .all), ("latest:2", .latest(count: 2))]
            as [(String, VersionPolicy)]
        {
            #expect(VersionPolicyArgument(argument: text)?.policy == policy)
        }
        for text in ["", "1,", "-1", "latest:0", "latest:x", "some"] {
            #expect(VersionPolicyArgument(argument: text) == nil)
        }
        #expect(throws: (any Error).self) { try UpCommand.parse([]) }
        #expect(throws: (any Error).self) { try StatusCommand.parse(["--admin", "nope"]) }
    }
}
