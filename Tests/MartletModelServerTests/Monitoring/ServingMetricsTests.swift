import MartletCore
import MartletProtocols
import MartletTelemetry
import MartletTransport
import Testing

@testable import MartletModelServer

@Suite("Metrics under TensorFlow Serving's names")
struct ServingMetricsTests {
    private let metrics = ServingMetrics()

    private var lines: [String] {
        String(decoding: metrics.prometheusText(), as: UTF8.self).split(separator: "\n")
            .map(String.init)
    }

    private func samples(_ name: String) -> [String] { lines.filter { $0.hasPrefix(name) } }

    private func record(
        _ operation: String, _ api: RequestAPI, code: StatusCode = .ok, model: String = "m"
    ) -> RequestRecord {
        var subject = RequestSubject(operation: operation)
        subject.model = model
        return RequestRecord(
            api: api, method: "", path: "", subject: subject, code: code, status: .http(200),
            requestBytes: 0, responseBytes: 0,
            context: RequestContext(remoteAddress: "127.0.0.1:1"))
    }

    @Test func requests_areCountedAsTheOriginalCountsThem() {
        let journal = RequestJournal(
            metrics: MetricsRegistry(), servingMetrics: metrics, accessLog: .disabled
        ) { $0 == "m" }
        for _ in 0..<2 { journal.write(record("predict", .rest)) }
        journal.write(record("multi_inference", .grpc))
        journal.write(record("classify", .grpc, code: .invalidArgument))
        journal.write(record("predict", .rest, code: .notFound, model: "made-up"))
        journal.write(record("status", .rest))
        journal.write(record("health", .grpc))
        #expect(
            samples(":tensorflow:serving:request_count") == [
                #":tensorflow:serving:request_count{model_name="",status="NOT_FOUND"} 1"#,
                #":tensorflow:serving:request_count{model_name="m",status="INVALID_ARGUMENT"} 1"#,
                #":tensorflow:serving:request_count{model_name="m",status="OK"} 3"#,
            ])
        #expect(
            samples(":tensorflow:serving:request_latency_count") == [
                #":tensorflow:serving:request_latency_count{model_name="m",API="MultiInference",entrypoint="GRPC"} 1"#,
                #":tensorflow:serving:request_latency_count{model_name="m",API="predict",entrypoint="REST"} 2"#,
            ])
    }

    @Test func latencies_haveTheOriginalsBuckets() {
        metrics.didRun(model: "m", api: .predict, seconds: 0.000_5)
        let buckets = samples(":tensorflow:serving:runtime_latency_bucket")
        let labels = #"{model_name="m",API="Predict",runtime="TF1",le="#
        let name = ":tensorflow:serving:runtime_latency_bucket"
        #expect(buckets.count == 34)
        #expect(buckets.first == #"\#(name)\#(labels)"10"} 0"#)
        #expect(buckets.contains(#"\#(name)\#(labels)"188.957"} 0"#))
        #expect(buckets.contains(#"\#(name)\#(labels)"612.22"} 1"#))
        #expect(buckets.last == #"\#(name)\#(labels)"+Inf"} 1"#)
    }

    @Test func batches_areCountedForTheirPoolOfThreads() {
        let batches = BatchMetrics(metrics: MetricsRegistry(), servingMetrics: metrics)
        let queue = BatchQueueLabel(name: "m/s", threadPoolName: "pool")
        batches.didDequeue(after: .milliseconds(2), from: queue)
        batches.didRun(
            BatchMeasurement(tasks: 1, rows: 1, paddingRows: 0, succeeded: true), in: queue)
        let name = ":tensorflow:serving:batching_session"
        #expect(lines.contains(#"\#(name):queuing_latency_sum{thread_pool_name="pool"} 2000"#))
        #expect(lines.contains("\(name):wrapped_run_count 1"))
    }

    @Test func monitoringFile_namesThePathOrTakesTheOriginals() {
        func path(_ enable: Bool, _ path: String) -> String? {
            var message = Tensorflow_Serving_MonitoringConfig()
            message.prometheusConfig.enable = enable
            message.prometheusConfig.path = path
            return MonitoringOptions(message).path
        }
        #expect(path(true, "/m") == "/m")
        #expect(path(true, "") == "/monitoring/prometheus/metrics")
        #expect(path(false, "/m") == nil)
        #expect(MonitoringOptions(Tensorflow_Serving_MonitoringConfig()).path == nil)
    }

    @Test func everything_isExportedUnderItsName() {
        metrics.didReceive(examples: 3, model: "m")
        metrics.didLog(model: "m", code: .ok)
        metrics.queueing(threadPool: "p").observe(0.1 * 1e6)
        metrics.didRunBatch()
        metrics.didLoad(path: "/m/1", seconds: 1.5)
        metrics.didFailToLoad(path: "/m/2")
        metrics.didWarmUp(path: "/m/1", error: nil, seconds: 1)
        metrics.didWarmUp(path: "/m/2", error: ServingError(.dataLoss, "cut"), seconds: 1)
        for line in [
            #":tensorflow:cc:saved_model:load_attempt_count{model_path="/m/1",status="success"} 1"#,
            #":tensorflow:cc:saved_model:load_attempt_count{model_path="/m/2",status="fail"} 1"#,
            #":tensorflow:cc:saved_model:load_latency{model_path="/m/1"} 1500000"#,
            #":tensorflow:serving:batching_session:queuing_latency_count{thread_pool_name="p"} 1"#,
            #":tensorflow:serving:batching_session:wrapped_run_count 1"#,
            #":tensorflow:serving:model_warmup_latency_count{model_path="/m/1",status="OK"} 1"#,
            #":tensorflow:serving:model_warmup_latency_count{model_path="/m/2",status="DATA_LOSS: cut"} 1"#,
            #":tensorflow:serving:request_example_count_total{model="m"} 3"#,
            #":tensorflow:serving:request_example_counts_sum{model="m"} 3"#,
            #":tensorflow:serving:request_log_count{model_name="m",status_code="OK"} 1"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(metrics.misuses.isEmpty)
    }
}
