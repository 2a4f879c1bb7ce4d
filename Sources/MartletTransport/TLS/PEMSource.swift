import Foundation
import MartletCore
import SwiftASN1

/// Where a certificate or key in PEM's format is found.
public enum PEMSource: Sendable, Hashable, CustomStringConvertible {
    /// In a file.
    case file(String)

    /// In memory; `name` says in messages where it came from, such as `server_key`.
    case text(String, name: String)

    /// The source as messages name it; never its content.
    public var description: String {
        switch self {
        case .file(let path): "'\(path)'"
        case .text(_, let name): name
        }
    }

    /// The content.
    ///
    /// - Throws: `ServingError`: `NOT_FOUND` for a file that is not there, `PERMISSION_DENIED` for
    ///   one that cannot be read.
    func load(_ role: String) throws -> String {
        switch self {
        case .text(let text, _): return text
        case .file(let path):
            // What is not UTF-8 is not PEM either, and is told so by who looks for the markers.
            return String(decoding: try bytes(of: path, role), as: UTF8.self)
        }
    }

    /// The content of a file of revocation lists as PEM, which may be DER in the file.
    ///
    /// - Throws: as ``load(_:)``, and `INVALID_ARGUMENT` for one that is too long.
    func loadLists() throws -> String {
        let role = "revocation file"
        guard case .file(let path) = self else { return try load(role) }
        let bytes = try bytes(of: path, role, bytesMax: SignedRevocationList.bytesMax)
        // A sequence, by which DER's list begins; PEM is in ASCII, where this is a digit.
        guard bytes.first == 0x30, bytes.range(of: Data("-----BEGIN".utf8)) == nil else {
            return String(decoding: bytes, as: UTF8.self)
        }
        return PEMDocument(type: SignedRevocationList.discriminator, derBytes: Array(bytes))
            .pemString
    }

    private func bytes(of path: String, _ role: String, bytesMax: Int = .max) throws -> Data {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            guard bytesMax < .max else { return try file.readToEnd() ?? Data() }
            let bytes = try file.read(upToCount: bytesMax + 1) ?? Data()
            guard bytes.count <= bytesMax else {
                throw ServingError.invalidArgument(
                    "The \(role) \(self) has more than \(bytesMax) bytes; is it the right file?")
            }
            return bytes
        } catch let error as ServingError {
            throw error
        } catch {
            guard FileManager.default.fileExists(atPath: path) else {
                throw ServingError(
                    .notFound, "The \(role) \(self) does not exist", cause: error)
            }
            throw ServingError(
                .permissionDenied, "The \(role) \(self) cannot be read", cause: error)
        }
    }
}
