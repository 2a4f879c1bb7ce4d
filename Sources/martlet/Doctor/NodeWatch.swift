import Foundation
import MartletCore
import MartletOperations
import MartletTelemetry
import MartletTransport

/// Asks a running node for its metrics twice, and looks at its process in between if it is on this
/// machine.
struct NodeWatch {
    let address: NodeAddress
    /// How long it is watched, in seconds.
    let seconds: Double
    /// Shown to the node; `nil` for none.
    let key: String?
    /// How the node is known; `nil` to speak in the clear.
    let tls: ClientTLS?

    private static let timeout: Duration = .seconds(5)

    /// The checks of the node.
    func checks() async -> [DoctorCheck] {
        do {
            return DoctorCheck.running(try await watch())
        } catch {
            return [
                DoctorCheck(
                    "node", of: "\(address)", .fail, NodeInspection.text(error),
                    remedy: "see 'Nothing answers' in docs/operations.md")
            ]
        }
    }

    private func watch() async throws -> RunningNode {
        let client = try ControlClient(eventLoops: EventLoops(count: 1), tls: tls)
        let first = try await page(client)
        let process = RunningNode.localProcess(of: first, now: Date().timeIntervalSince1970)
        let before = process.flatMap { ProcessSample(process: $0) }
        let start = ContinuousClock.now
        try await Task.sleep(for: .seconds(seconds))
        let after = process.flatMap { ProcessSample(process: $0) }
        let last = try await page(client)
        var node = RunningNode(
            name: "\(address)", first: first, last: last,
            seconds: (ContinuousClock.now - start).seconds)
        if let before, let after {
            node.process = after.since(before)
            node.pressure = SystemFiles().text("/proc/pressure/cpu")
        }
        return node
    }

    private func page(_ client: ControlClient) async throws -> NodeMetricsPage {
        let network = address.network
        let response = try await client.send(
            ControlRequest(path: "/metrics", headers: key.map { ["x-api-key": $0] } ?? [:]),
            host: network.host, port: network.port, timeout: NodeWatch.timeout,
            maximumBytes: NodeMetricsPage.maximumBytes)
        guard response.status == 200 else {
            throw ServingError(
                response.status == 401 ? .unauthenticated : .unavailable,
                "\(address) answered \(response.status) at /metrics"
                    + (response.status == 401 ? " (--api-key-file)" : "; is it a node?"))
        }
        return NodeMetricsPage(String(decoding: response.body, as: UTF8.self))
    }
}
