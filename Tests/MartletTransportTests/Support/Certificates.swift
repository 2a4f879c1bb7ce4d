import Foundation
import NIOSSL
import Testing

@testable import MartletTransport

/// Certificates made by OpenSSL for one test.
struct Certificates {
    let folder: TestFolder

    /// Makes an authority, a server and a client it signed, and a client that nobody signed.
    init() throws {
        folder = try TestFolder()
        try openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                + "-subj /CN=authority -keyout authority.key -out authority.pem")
        try sign("server", extensions: "subjectAltName=DNS:localhost,IP:127.0.0.1")
        try sign("client", extensions: "extendedKeyUsage=clientAuth")
        try openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                + "-subj /CN=stranger -keyout stranger.key -out stranger.pem")
    }

    func openssl(_ arguments: String) throws {
        _ = try run("openssl", arguments)
    }

    /// What a program prints that is run in the folder of the certificates.
    @discardableResult
    func run(_ program: String, _ arguments: String) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments.split(separator: " ").map(String.init)
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = output
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(program) \(arguments)")
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The same on a thread that the program's tasks do not need meanwhile.
    func runAside(_ program: String, _ arguments: String) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try run(program, arguments) })
            }
        }
    }

    func sign(
        _ name: String, by authority: String = "authority", extensions: String,
        options: String = "-days 2"
    ) throws {
        try folder.write(extensions, to: "\(name).cnf")
        try openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(name) "
                + "-keyout \(name).key -out \(name).csr")
        try openssl(
            "x509 -req -in \(name).csr -CA \(authority).pem -CAkey \(authority).key "
                + "-CAcreateserial -extfile \(name).cnf \(options) -out \(name).pem")
    }

    /// Has an authority sign a list, `crl.pem`, of the certificates that it revokes, and of those it
    /// revoked before.
    func revoke(
        _ names: [String], by authority: String = "authority", options: String = "-crldays 2",
        version: Int = 2, to file: String = "crl.pem"
    ) throws {
        let database = "\(authority).index"
        if !FileManager.default.fileExists(atPath: folder(database)) {
            try folder.write("", to: database)
            try folder.write("10", to: "\(authority).number")
        }
        let numbered = version == 2 ? "crlnumber = \(authority).number\n" : ""
        try folder.write(
            "[ca]\ndefault_ca = own\n[own]\ndefault_md = sha256\ndatabase = \(database)\n\(numbered)",
            to: "\(authority).ca")
        let ca =
            "ca -config \(authority).ca -cert \(authority).pem -keyfile \(authority).key"
        for name in names {
            try openssl("\(ca) -revoke \(name).pem -crl_reason keyCompromise")
        }
        try openssl("\(ca) -gencrl \(options) -out \(file)")
    }

    var server: ServerTLS {
        ServerTLS(
            certificateChain: .file(folder("server.pem")), privateKey: .file(folder("server.key")))
    }

    /// A client that trusts the authority, with the certificate of `name` if one is given.
    func client(_ name: String? = nil, protocols: [String] = []) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(folder("authority.pem"))
        configuration.applicationProtocols = protocols
        if let name {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(
                folder("\(name).pem")
            ).map { .certificate($0) }
            configuration.privateKey = .privateKey(
                try NIOSSLPrivateKey(file: folder("\(name).key"), format: .pem))
        }
        return configuration
    }
}
