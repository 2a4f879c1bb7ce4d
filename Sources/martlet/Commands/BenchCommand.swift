import ArgumentParser
import Foundation
import MartletBench
import MartletCore
import MartletOperations
import MartletTransport

/// `martlet bench`: puts load on a model server and says how it bore it.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Put load on a model server, and measure rate and latency.",
        discussion: """
            Speaks TensorFlow Serving's APIs, the Open Inference Protocol and OpenAI's, so any \
            server of these will do. Learns the model's inputs from the server and makes up \
            tensors that fit.

            EXAMPLES
              As much as 16 requests in flight bring:
                martlet bench http://127.0.0.1:8500 --model half_plus_two
              The same over gRPC, 64 in flight on 8 connections:
                martlet bench grpc://127.0.0.1:8500 --model half_plus_two \\
                  --concurrency 64 --connections 8
              2,000 requests a second, as many independent clients send them, with a report:
                martlet bench http://127.0.0.1:8500 --model half_plus_two \\
                  --rate 2000 --arrivals poisson --duration 30 --html report.html
              The highest rate of which 99 % are answered within 50 ms:
                martlet bench grpc://127.0.0.1:8500 --model half_plus_two \\
                  --find-saturation --slo-p99-ms 50 --duration 5
              Which of two servers is faster, and how sure that is:
                martlet bench http://127.0.0.1:8500 --model m --compare http://127.0.0.1:8501
              Yesterday's traffic, ten times as fast:
                martlet bench http://127.0.0.1:8500 --model m --trace times.csv --trace-speed 10
              Tokens of a language model:
                martlet bench http://127.0.0.1:8000 --api openai --model llama --max-tokens 128

            Exits with 1 if a request failed or --slo-p99-ms was missed.
            """)

    @Argument(
        help: ArgumentHelp(
            "The server: http://, https://, grpc:// or grpcs://, host and port.",
            valueName: "target"))
    var target: BenchAddress

    @OptionGroup(title: "REQUESTS") var requests: BenchRequestOptions
    @OptionGroup(title: "LOAD") var load: BenchLoadOptions
    @OptionGroup(title: "COMPARISON") var comparison: BenchComparisonOptions
    @OptionGroup(title: "CONNECTION") var access: BenchAccessOptions
    @OptionGroup(title: "REPORT") var output: BenchOutputOptions

    func validate() throws {
        let speaksTLS = target.speaksTLS || comparison.compare?.speaksTLS == true
        guard speaksTLS || !access.isForTLS else {
            throw ValidationError(
                "--cacert, --cert and --key are for TLS: write https:// or grpcs://")
        }
        guard comparison.compare == nil || !load.findSaturation else {
            throw ValidationError("--compare and --find-saturation exclude each other")
        }
        guard comparison.compare == nil || load.trace == nil else {
            throw ValidationError("--compare and --trace exclude each other")
        }
        let isGRPC = api.wire == .grpc
        if !isGRPC, let connections = load.connections, let inFlight = load.concurrency,
            connections < inFlight
        {
            throw ValidationError(
                "--connections is \(connections), fewer than --concurrency (\(inFlight)): over "
                    + "HTTP/1.1 a connection has one request in flight")
        }
        guard !target.isGRPC || isGRPC else {
            throw ValidationError("--api \(api.rawValue) is not spoken over gRPC: write http://")
        }
    }

    private var api: BenchAPI { requests.api ?? (target.isGRPC ? .grpc : .rest) }

    func run() async throws {
        do {
            let loops = EventLoops(count: load.threads)
            let arrivals = try load.schedule(seed: requests.seed)
            let report = try await measure(arrivals, on: loops)
            try output.write(report)
            guard report.isAsWished else { throw ExitCodes.failure }
        } catch {
            throw ExitCodes.report(error)
        }
    }

    // MARK: Targets

    private func measure(_ arrivals: Arrivals, on loops: EventLoops) async throws -> BenchReport {
        let addresses = [target] + (comparison.compare.map { [$0] } ?? [])
        let connections = load.connections(
            isGRPC: api.wire == .grpc, isOpen: arrivals.isOpen || load.findSaturation)
        var targets: [BenchTarget] = []
        for address in addresses {
            targets.append(try await prepare(address, connections: connections, on: loops))
        }
        let run = BenchRun(
            targets: targets, api: api, model: requests.model, load: load,
            rounds: comparison.rounds, connections: connections)
        let report = try await output.withLiveView { view in
            if load.findSaturation { return await run.saturate(seed: requests.seed, view: view) }
            if targets.count > 1 { return await run.compare(arrivals, view: view) }
            return await run.once(arrivals, view: view)
        }
        for target in targets { await target.close() }
        return report
    }

    private func prepare(
        _ address: BenchAddress, connections: Int, on loops: EventLoops
    ) async throws -> BenchTarget {
        var server = BenchServer(
            host: address.network.host, port: address.network.port, wire: api.wire,
            tls: address.speaksTLS ? access.tls : nil)
        server.headers = try access.headers(api)
        server.timeout = .seconds(load.timeoutSeconds)
        let what = try await makeRequests(server, on: loops)
        do {
            try await what.check(server, on: loops)
        } catch let error as ServingError {
            throw ServingError(
                error.code,
                "A first request to \(address) for model '\(requests.model)' failed: "
                    + error.message, cause: error.cause)
        }
        server.connections = connections
        return try await BenchTarget(
            address.description, server: server, requests: what, lanes: load.threads, on: loops)
    }

    private func makeRequests(
        _ server: BenchServer, on loops: EventLoops
    ) async throws -> BenchRequests {
        let data = try requests.data.map(BenchCommand.content)
        if api == .openAI {
            var completion = CompletionRequests(model: requests.model, prompt: requests.prompt)
            completion.function = requests.function
            completion.tokensMax = requests.maxTokens
            completion.isStreaming = requests.stream
            return data.map { completion.requests(data: $0) } ?? completion.requests()
        }
        let choice = ModelChoice(
            model: requests.model, version: requests.modelVersion,
            signature: requests.signature)
        if let data { return PredictRequests.given(choice, api, data: data) }
        let inputs = try await SignatureSource.inputs(of: choice, by: api, from: server, on: loops)
        return try PredictRequests.generated(
            choice, api, inputs: inputs,
            generator: TensorGenerator(
                seed: requests.seed, batch: requests.batch, shapes: try requests.shapes()),
            variants: requests.variants)
    }

    private static func content(_ file: String) throws -> [UInt8] {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: file)) else {
            throw ServingError.invalidArgument("'\(file)' (--data) cannot be read")
        }
        return Array(data)
    }
}

extension BenchReport {
    /// Whether every request was answered and the objective kept.
    fileprivate var isAsWished: Bool {
        if let saturation { return saturation.rate != nil }
        return targets.allSatisfy { target in
            target.errors.isEmpty && target.ok > 0
                && target.latencyMs.p99 <= settings.sloP99Ms ?? .infinity
        }
    }
}
