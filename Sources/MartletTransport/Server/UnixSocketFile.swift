import Foundation
import MartletCore
import NIOCore
import NIOPosix

/// The file of a Unix domain socket, which outlives a server that was killed.
///
/// A server that ends in order removes its own when it closes the socket.
struct UnixSocketFile: Sendable {
    /// What a socket's address structure holds on Linux, without the NUL at its end.
    private static let pathBytesMax = 107

    let path: String

    /// Removes what a dead server left behind.
    ///
    /// - Parameters:
    ///   - eventLoops: find out whether a server is alive.
    ///   - takesOver: whether the path of a server that is alive is taken too; clients that are
    ///     connected stay with it.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for a path that cannot be a socket's,
    ///   `UNAVAILABLE` when a server answers at the path.
    func makeRoom(eventLoops: EventLoops, takesOver: Bool = false) async throws {
        guard (1...UnixSocketFile.pathBytesMax).contains(path.utf8.count) else {
            throw ServingError.invalidArgument(
                "The socket path '\(path)' has \(path.utf8.count) bytes; "
                    + "use 1 to \(UnixSocketFile.pathBytesMax)")
        }
        // Of a link itself, not of what it leads to.
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard let attributes else { return }
        guard attributes[.type] as? FileAttributeType == .typeSocket else {
            throw ServingError.invalidArgument(
                "Cannot listen on unix:\(path): the path exists and is not a socket; "
                    + "remove it or choose another")
        }
        let mayGo = takesOver ? true : try await isStale(eventLoops)
        guard mayGo else {
            throw ServingError(
                .unavailable,
                "Cannot listen on unix:\(path): another server is listening there; "
                    + "stop it or choose another path")
        }
        unlink(path)
    }

    private func isStale(_ eventLoops: EventLoops) async throws -> Bool {
        do {
            let connection = try await ClientBootstrap(group: eventLoops.group)
                .connectTimeout(.seconds(1))
                .connect(unixDomainSocketPath: path).get()
            try? await connection.close()
            return false
        } catch let error as IOError where [ECONNREFUSED, ENOENT].contains(error.errnoCode) {
            return true
        } catch let error as IOError where [EACCES, EPERM].contains(error.errnoCode) {
            throw ServingError(
                .permissionDenied,
                "Cannot listen on unix:\(path): this user may not open the socket that is there",
                cause: error)
        } catch {
            // A server with a full backlog does not answer either, but lives.
            return false
        }
    }
}
