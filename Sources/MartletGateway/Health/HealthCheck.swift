import MartletCore
import MartletTransport

/// Asks an endpoint whether it is well, by the protocol that its pool says.
struct HealthCheck: Sendable {
    private let settings: TrafficPolicy.Health
    private let client: ControlClient
    private let encryption: UpstreamEncryption?
    private let eventLoops: EventLoops

    /// - Parameters:
    ///   - settings: what the pool's policy says of checks.
    ///   - encryption: how requests are encrypted, and checks with them; `nil` for not.
    ///   - eventLoops: where it works.
    init(
        _ settings: TrafficPolicy.Health, encryption: UpstreamEncryption?, eventLoops: EventLoops
    ) {
        self.settings = settings
        self.encryption = encryption
        self.eventLoops = eventLoops
        client = ControlClient(eventLoops: eventLoops, encryption: encryption)
    }

    /// What one check tells; takes no longer than the settings allow.
    ///
    /// - Throws: why this machine could not ask.
    func outcome(of address: UpstreamAddress) async throws(LocalFault) -> HealthCheckOutcome {
        do {
            switch settings.checkProtocol {
            case .http: return try await askHTTP(address)
            case .grpc: return try await askGRPC(address)
            case .tcp:
                try await client.connect(
                    host: address.host, port: address.port, timeout: settings.timeout)
                return .well
            }
        } catch {
            if let fault = LocalFault(error) { throw fault }
            return .unreachable
        }
    }

    private func askHTTP(_ address: UpstreamAddress) async throws -> HealthCheckOutcome {
        let answer = try await client.get(
            host: address.host, port: address.port, path: settings.path,
            timeout: settings.timeout)
        guard settings.checksModels else {
            return HealthCheckOutcome(readiness: answer, listing: nil)
        }
        let listing = try await client.get(
            host: address.host, port: address.port, path: "/v1/models", timeout: settings.timeout)
        return HealthCheckOutcome(readiness: answer, listing: listing)
    }

    /// `grpc.health.v1.Health/Check` (the gRPC health checking protocol).
    private func askGRPC(_ address: UpstreamAddress) async throws -> HealthCheckOutcome {
        let service = settings.grpcService.map { Array($0.utf8) } ?? []
        // HealthCheckRequest: field 1, a text.
        let request = service.isEmpty ? [] : ProtobufFields.field(1, service)
        let answer = try await GRPCQuestion.ask(
            "/grpc.health.v1.Health/Check", message: request, host: address.host,
            port: address.port, encryption: encryption, timeout: settings.timeout,
            eventLoops: eventLoops)
        switch answer {
        // HealthCheckResponse: field 1, a number; 1 is SERVING.
        case .success(let message): return message == [0x08, 0x01] ? .well : .unwell
        case .failure: return .unwell
        }
    }
}
