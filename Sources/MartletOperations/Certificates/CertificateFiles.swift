import Foundation
import MartletCore
import MartletTransport
import SwiftASN1
import X509

/// Reads and writes the files of certificates, within limits and never by halves.
enum CertificateFiles {
    /// The most bytes that a file of certificates or a key may have.
    static let bytesMax = 1 << 20
    /// The most bytes that a revocation list may have.
    static let listBytesMax = SignedRevocationList.bytesMax

    /// Who may read a file that is written.
    enum Readers {
        case all
        case owner

        var mode: mode_t { self == .all ? 0o644 : 0o600 }
    }

    /// Whether there is something of this name, be it a link that leads nowhere.
    static func exists(_ path: String) -> Bool {
        (try? FileManager.default.attributesOfItem(atPath: path)) != nil
    }

    /// Whether others than the owner may read or write a file.
    static func isOpenToOthers(_ path: String) -> Bool {
        let place = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let attributes = try? FileManager.default.attributesOfItem(atPath: place)
        return (attributes?[.posixPermissions] as? Int ?? 0) & 0o077 != 0
    }

    /// The content of a file.
    ///
    /// - Throws: `ServingError`: `NOT_FOUND`, `PERMISSION_DENIED`, or `FAILED_PRECONDITION` for
    ///   what is too long or no file.
    static func text(of path: String, bytesMax: Int = bytesMax) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(errno, "read", path) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            let content = try file.read(upToCount: bytesMax + 1) ?? Data()
            guard content.count <= bytesMax else {
                throw ServingError(
                    .failedPrecondition,
                    "'\(printable(path))' has more than \(bytesMax) bytes; is it the right file?")
            }
            // What is not UTF-8 is not PEM either, and is told so by who looks for the markers.
            return String(decoding: content, as: UTF8.self)
        } catch let error as ServingError {
            throw error
        } catch {
            throw ServingError(
                .failedPrecondition, "'\(printable(path))' cannot be read", cause: error)
        }
    }

    /// The parts of a file in PEM's format.
    ///
    /// - Throws: as ``text(of:bytesMax:)``, and for a file that holds none.
    static func documents(of path: String, bytesMax: Int = bytesMax) throws -> [PEMDocument] {
        let text = try text(of: path, bytesMax: bytesMax)
        do {
            let documents = try PEMDocument.parseMultiple(pemString: text)
            guard documents.isEmpty else { return documents }
        } catch {
            throw ServingError(
                .failedPrecondition, "'\(printable(path))' is broken PEM", cause: error)
        }
        throw ServingError(
            .failedPrecondition,
            "'\(printable(path))' is not PEM: it has no line '-----BEGIN CERTIFICATE-----'; if it "
                + "is DER, 'openssl x509 -inform der -in FILE -out NEW' makes PEM of it")
    }

    /// The certificates of a file.
    ///
    /// - Throws: as ``documents(of:bytesMax:)``, and for a file without certificates.
    static func certificates(of path: String) throws -> [Certificate] {
        let documents = try documents(of: path)
        let certificates = try documents.filter { $0.discriminator == "CERTIFICATE" }
            .map { try certificate($0, path: path) }
        guard !certificates.isEmpty else {
            let kind = printable(documents.first?.discriminator.lowercased() ?? "")
            throw ServingError(
                .failedPrecondition, "'\(printable(path))' holds no certificate but: \(kind)")
        }
        return certificates
    }

    /// Reads one certificate.
    static func certificate(_ document: PEMDocument, path: String) throws -> Certificate {
        do {
            return try Certificate(pemDocument: document)
        } catch {
            throw ServingError(
                .failedPrecondition,
                "'\(printable(path))' holds a certificate that is broken, or of a kind of key that "
                    + "is not known here", cause: error)
        }
    }

    /// Reads one revocation list.
    static func list(_ document: PEMDocument, path: String) throws -> SignedRevocationList {
        do {
            let list = try SignedRevocationList(bytes: document.derBytes)
            guard list.nextUpdate != nil else {
                throw ASN1Error.invalidASN1Object(reason: "The list is good for ever")
            }
            return list
        } catch {
            throw ServingError(
                .failedPrecondition,
                "'\(printable(path))' holds a revocation list that is broken, or of a kind that "
                    + "'martlet certs' does not write", cause: error)
        }
    }

    /// Certificates in PEM's format, one behind the other.
    static func pem(_ certificates: [Certificate]) throws -> String {
        try certificates.map { try $0.serializeAsPEM().pemString + "\n" }.joined()
    }

    // MARK: Writing

    /// Writes files under other names first, and when all are whole gives them their own.
    ///
    /// - Throws: `ServingError`, after which none has been written unless the disk fails between
    ///   two renames.
    static func write(_ files: [(path: String, text: String, readers: Readers)]) throws {
        var staged: [(place: String, path: String)] = []
        defer { for file in staged { unlink(file.place) } }
        for file in files {
            let place = "\(file.path).\(getpid()).tmp"
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
            let descriptor = open(place, flags, file.readers.mode)
            guard descriptor >= 0 else { throw failure(errno, "write", file.path) }
            staged.append((place, file.path))
            let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            do {
                try handle.write(contentsOf: Data(file.text.utf8))
                try handle.synchronize()
                try handle.close()
            } catch {
                throw ServingError(
                    .internal, "'\(printable(file.path))' cannot be written", cause: error)
            }
        }
        for file in staged where rename(file.place, file.path) != 0 {
            throw failure(errno, "write", file.path)
        }
    }

    /// Holds a folder while something is read and written there, so that of two commands at once
    /// none undoes the other's work.
    static func locking<Result>(_ folder: String, _ body: () throws -> Result) throws -> Result {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(errno, "open", folder) }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw failure(errno, "lock", folder) }
        }
        return try body()
    }

    /// What the system says of a file.
    static func failure(_ number: Int32, _ verb: String, _ path: String) -> ServingError {
        let code: StatusCode =
            switch number {
            case ENOENT, ENOTDIR: .notFound
            case EACCES, EPERM, EROFS: .permissionDenied
            default: .failedPrecondition
            }
        let reason = String(cString: strerror(number))
        return ServingError(code, "Cannot \(verb) '\(printable(path))': \(reason)")
    }
}
