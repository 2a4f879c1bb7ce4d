import ArgumentParser
import Foundation
import MartletOperations

/// What all commands of a certificate authority take.
struct CertsOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Folder of the certificate authority.", valueName: "folder"))
    var dir = "certs"

    @Flag(help: "Print JSON instead of words.")
    var json = false

    func validate() throws {
        guard !dir.isEmpty else { throw ValidationError("--dir is empty; name a folder") }
    }

    /// The folder, whose key somebody should hear about if others may read it.
    private func folder() throws -> AuthorityFolder {
        let folder = AuthorityFolder(path: dir)
        if let warning = folder.warning {
            try FileHandle.standardError.write(contentsOf: Data("martlet: \(warning)\n".utf8))
        }
        return folder
    }

    /// Works in the folder, and tells what went wrong by a message and an exit code.
    ///
    /// - Parameter body: is given the folder and the date, and gives what is to be printed.
    /// - Throws: the exit code.
    func reporting(_ body: (AuthorityFolder, Date) throws -> Data) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: try body(try folder(), Date()))
        } catch {
            throw ExitCodes.report(error)
        }
    }
}

/// What commands that make a key take.
struct CertsKeyOptions: ParsableArguments {
    @Option(help: "Elliptic curve of the key.")
    var curve = KeyCurve.p256

    @Flag(help: "Replace files that are there already.")
    var force = false
}

/// What commands that sign an owner's certificate take.
struct CertsIssueOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Name of the files, without .pem and .key; made of whom they are for unless given.",
            valueName: "name"))
    var out: String?

    @OptionGroup var key: CertsKeyOptions

    @OptionGroup var options: CertsOptions

    /// Makes the files of a certificate, and tells of them.
    ///
    /// - Parameters:
    ///   - holds: what the certificate is.
    ///   - profile: what it says.
    /// - Throws: the exit code.
    func issue(_ holds: String, _ profile: () throws -> CertificateProfile) throws {
        try options.reporting { folder, now in
            let issued = try folder.issue(
                try profile(), fileName: out, replacing: key.force, now: now)
            guard !options.json else { return try issued.json(now: now) }
            let text = issued.text(
                certificate: holds, key: "its private key, for its owner alone", now: now)
            return Data(text.utf8)
        }
    }
}
