import ArgumentParser
import MartletCore
import MartletGateway
import MartletTestKit
import Testing

@testable import martlet

struct KeyCommandTests {
    private func mint(_ arguments: String...) throws -> APIKeyMint.Minted {
        var generator = SeededGenerator(seed: 1)
        return try KeyNewCommand.parse(arguments).mint(using: &generator)
    }

    @Test func key_isMadeOfTheArguments() throws {
        let minted = try mint(
            "--id=ci", "--tenant=team-a", "--model=fraud-*", "--model=pitch", "--verb=predict",
            "--expires=2027-01-31", "--prefix=test_")
        #expect(minted.secret.hasPrefix("test_"))
        for part in [
            #"id: "ci""#, #"tenant: "team-a""#, #"models: ["fraud-*", "pitch"]"#,
            #"verbs: ["predict"]"#, #"expires: "2027-01-31""#,
        ] {
            #expect(minted.entry.contains(part), "\(minted.entry)")
        }
    }

    @Test(arguments: [
        ["--id=a b", "--tenant=t"], ["--id=a", "--tenant=t", "--verb=x"],
        ["--id=a", "--tenant=t", "--expires=soon"], ["--id=a", "--tenant=t", "--prefix=a b"],
    ])
    func argumentsThatTheFileDoesNotTake_areRefused(arguments: [String]) throws {
        let command = try KeyNewCommand.parse(arguments)
        var generator = SeededGenerator(seed: 1)
        #expect(throws: ServingError.self) { try command.mint(using: &generator) }
    }

    @Test func idAndTenant_areNeeded() {
        #expect(throws: (any Error).self) { try KeyNewCommand.parse(["--id=a"]) }
        #expect(throws: (any Error).self) { try KeyNewCommand.parse(["--tenant=a"]) }
    }
}
