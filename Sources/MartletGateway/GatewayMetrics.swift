import MartletCore
import MartletTelemetry

/// The gateway's metrics beside those of requests.
enum GatewayMetrics {
    static func register(in metrics: MetricsRegistry, directory: EndpointDirectory) {
        ProcessMetrics.register(in: metrics)
        metrics.gaugeFamily(
            "martlet_build_info", help: "The version of this build; always 1.",
            labelNames: ["version"]
        ).with(martletVersion).set(1)
        endpointGauge(
            "healthy", "Whether the endpoint's checks succeed: 1 or 0.", metrics, directory
        ) { $0.healthy ? 1 : 0 }
        endpointGauge(
            "ejected", "Whether the endpoint is out of use for how it answered: 1 or 0.", metrics,
            directory
        ) { $0.ejected ? 1 : 0 }
        endpointGauge("weight", "The endpoint's share relative to others.", metrics, directory) {
            $0.weight
        }
        endpointGauge("in_flight", "Requests the endpoint is answering.", metrics, directory) {
            Double($0.inFlight)
        }
    }

    private static func endpointGauge(
        _ name: String, _ help: String, _ metrics: MetricsRegistry,
        _ directory: EndpointDirectory, value: @escaping @Sendable (EndpointStatus) -> Double
    ) {
        metrics.collector(
            "martlet_gateway_endpoint_\(name)", help: help, labelNames: ["endpoint"]
        ) { samples in
            for endpoint in directory.status.endpoints {
                samples.add(value(endpoint), labels: endpoint.address)
            }
        }
    }
}
