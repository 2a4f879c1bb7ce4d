import ArgumentParser
import Foundation
import MartletCore
import MartletOperations
import MartletTransport

/// `martlet status`: what a gateway sends requests to, and what is served there.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show a gateway's endpoints and their models.",
        discussion: """
            EXAMPLES
              Show the gateway of this machine:
                martlet status
              Show another one, for a program:
                martlet status --admin 127.0.0.1:9081 --json
              List the endpoints that are not healthy:
                martlet status --json | jq -r '.endpoints[] | select(.healthy | not) | .address'

            Exits with 69 if the gateway does not answer.
            """)

    @Option(
        help: ArgumentHelp("Address of the gateway's admin listener.", valueName: "host:port"))
    var admin = NetworkAddress(host: "127.0.0.1", port: 8081)

    @Option(
        help: ArgumentHelp(
            "File of the gateway's admin token, where reading needs one (admin.reads).",
            valueName: "file"))
    var adminTokenFile: String?

    @Flag(help: "Print JSON instead of tables.")
    var json = false

    func run() async throws {
        do {
            let body = try await ask()
            let status = try decode(body)
            let text =
                json ? String(decoding: body, as: UTF8.self).trimmed + "\n" : tables(status)
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            throw ExitCodes.report(error)
        }
    }

    private func ask() async throws -> [UInt8] {
        let client = ControlClient(eventLoops: EventLoops(count: 1))
        do {
            let token = try adminTokenFile.map(StatusCommand.token(in:))
            let request = ControlRequest(
                path: EndpointsStatus.path,
                headers: token.map { ["authorization": "Bearer \($0)"] } ?? [:])
            let response = try await client.send(
                request, host: admin.host, port: admin.port, timeout: .seconds(5))
            guard response.status != 401 else {
                throw ServingError(
                    .unauthenticated, "\(admin) wants the admin token (--admin-token-file)")
            }
            guard response.status == 200 else {
                throw ServingError(
                    .unavailable,
                    "\(admin) answered \(response.status); is it the admin address of a gateway?")
            }
            return response.body
        } catch let error as ServingError {
            throw ServingError(
                error.code,
                "No status from \(admin): \(error.message). Start a cluster with 'martlet up', or "
                    + "name the gateway's admin address with --admin")
        }
    }

    private static func token(in file: String) throws -> String {
        guard let text = try? String(contentsOf: URL(fileURLWithPath: file), encoding: .utf8),
            !text.trimmed.isEmpty
        else {
            throw ServingError.invalidArgument(
                "'\(file)' (--admin-token-file) cannot be read, or is empty")
        }
        return text.trimmed
    }

    private func decode(_ body: [UInt8]) throws -> EndpointsStatus {
        do {
            return try EndpointsStatus(json: body)
        } catch {
            throw ServingError(
                .unavailable,
                "\(admin) did not answer with a status; is it the admin address of a gateway?")
        }
    }

    private func tables(_ status: EndpointsStatus) -> String {
        guard !status.endpoints.isEmpty else { return "The gateway has no endpoints.\n" }
        let hasColor = allowsColor(fileDescriptor: STDOUT_FILENO)
        let models = status.endpoints.flatMap(\.models)
        let below =
            models.isEmpty
            ? "No models are known yet.\n" : status.modelTable().text(hasColor: hasColor)
        return status.endpointTable().text(hasColor: hasColor) + "\n" + below
    }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
