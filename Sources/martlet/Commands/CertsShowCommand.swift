import ArgumentParser
import Foundation
import MartletOperations

/// `martlet certs show`: what certificates say, and how long they are valid.
struct CertsShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show certificates and revocation lists.",
        discussion: """
            EXAMPLES
              martlet certs show certs/*.pem
              Which will not do in two weeks?
                martlet certs show --warn-days 14 --json certs/*.pem \\
                  | jq -r '.certificates[] | select(.state != "valid") | .file'

            Exits with 1 if one is expired, is not valid yet, or will expire within --warn-days.
            """)

    @Argument(help: "Files in PEM's format.")
    var files: [String]

    @Option(help: "Days before its end from which a certificate is told to be expiring.")
    var warnDays = 30

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func run() throws {
        var isWell = true
        do {
            let report = try CertificateReport(files: files, warnDays: warnDays, now: Date())
            let text = report.text(hasColor: allowsColor(fileDescriptor: STDOUT_FILENO))
            try FileHandle.standardOutput.write(
                contentsOf: json ? try report.json() : Data(text.utf8))
            isWell = report.isWell
        } catch {
            throw ExitCodes.report(error)
        }
        if !isWell { throw ExitCodes.failure }
    }
}
