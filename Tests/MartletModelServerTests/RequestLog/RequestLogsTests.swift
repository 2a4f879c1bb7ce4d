import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletProtocols
import MartletRepository
import MartletTelemetry
import MartletTensors
import MartletTestKit
import MartletTransport
import SwiftProtobuf
import Testing

@testable import MartletModelServer

@Suite("Logs of requests")
final class RequestLogsTests: Sendable {
    private let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("martlet-logs-\(UUID().uuidString)").path
    private let metrics = MetricsRegistry()
    private let servingMetrics = ServingMetrics()
    private let messages = LineLog(level: .trace)

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func makeLogs(queuedRecords: Int = 1000) -> RequestLogs {
        RequestLogs(
            metrics: metrics, servingMetrics: servingMetrics, logger: messages.logger,
            queuedRecords: queuedRecords, queuedBytes: 1 << 20)
    }

    private func configure(_ logs: RequestLogs, _ configuration: RequestLogConfiguration) {
        logs.configure([
            ModelConfiguration(name: "m", basePath: "/none", requestLog: configuration)
        ])
    }

    private func configuration(
        _ format: RequestLogConfiguration.Format, rate: Double = 1
    ) -> RequestLogConfiguration {
        RequestLogConfiguration(
            format: format, filenamePrefix: "\(folder)/logs/r", samplingRate: rate)
    }

    /// Answers a request as the node does.
    private func answer(_ logs: RequestLogs, _ value: Float = 1) throws {
        let servable = FakeServable(id: ServableID(model: "m", version: 3))
        let loaded = LoadedServable(
            servable: servable, choice: EngineChoice(engine: "fake", reason: .only, detail: ""),
            signatureDefs: [:], tags: ["serve"])
        let lease = try #require(ServableLease(loaded))
        let signature = try #require(servable.signatures[Signature.defaultName])
        let input = NamedTensor(
            name: "x", tensor: try Tensor(dtype: .float, shape: Shape([1]), values: [value]))
        let prediction = try Prediction(signature, of: lease, inputs: [input]) { _ in [UInt8]() }
        let observer = PredictionObserver(metrics: servingMetrics, requestLogs: logs)
        let observed = observer.observing(prediction, subject: RequestSubject(operation: "predict"))
        PredictionRunner(threads: EngineThreads(count: 1, capacity: 1, name: "test")).run(
            observed, context: RequestContext(remoteAddress: "127.0.0.1:1"), mayBlock: true
        ) { _ in }
    }

    private var files: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/logs")) ?? []).sorted()
    }

    private func count(_ outcome: String) -> Int {
        let line = String(decoding: metrics.prometheusText(), as: UTF8.self).split(separator: "\n")
            .first {
                $0.hasPrefix(
                    "martlet_request_log_records_total{model=\"m\",outcome=\"\(outcome)\"}")
            }
        return line.flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
    }

    private func records(_ name: String) throws -> [Tensorflow_Serving_PredictionLog] {
        let reader = try TFRecordReader(path: "\(folder)/logs/\(name)")
        var records: [Tensorflow_Serving_PredictionLog] = []
        while let record = try reader.next() {
            records.append(try Tensorflow_Serving_PredictionLog(serializedBytes: record))
        }
        return records
    }

    @Test func request_isLoggedWithResponseAndMetadata() throws {
        let logs = makeLogs()
        configure(logs, configuration(.tfrecord))
        try answer(logs, 7)
        #expect(logs.flush())
        let name = try #require(files.first)
        let record = try #require(try records(name).first)
        #expect(record.predictLog.request.inputs["x"]?.floatVal == [7])
        #expect(record.predictLog.request.outputFilter == [])
        #expect(record.predictLog.response.outputs["y"]?.floatVal == [3])
        #expect(record.predictLog.response.modelSpec.version.value == 3)
        #expect(record.logMetadata.modelSpec.name == "m")
        #expect(record.logMetadata.modelSpec.signatureName == Signature.defaultName)
        #expect(record.logMetadata.samplingConfig.samplingRate == 1)
        #expect(record.logMetadata.savedModelTags == ["serve"])
        #expect(abs(Double(record.logMetadata.timestampSecs) - Date().timeIntervalSince1970) < 60)
        #expect(count("written") == 1)
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/logs/\(name)")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func json_isOneLineARecord() throws {
        let logs = makeLogs()
        configure(logs, configuration(.json))
        for value in 0..<3 { try answer(logs, Float(value)) }
        #expect(logs.flush())
        let text = try String(
            contentsOfFile: "\(folder)/logs/\(try #require(files.first))", encoding: .utf8)
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.count == 3 && text.hasSuffix("\n"))
        let inputs = try lines.map {
            try Tensorflow_Serving_PredictionLog(jsonString: $0).predictLog.request.inputs["x"]?
                .floatVal
        }
        #expect(inputs == [[0], [1], [2]])
    }

    @Test func files_rotateAndTheOldestAreRemoved() throws {
        let logs = makeLogs()
        var small = configuration(.tfrecord)
        small.maximumFileBytes = 1
        small.maximumFiles = 3
        configure(logs, small)
        try FileManager.default.createDirectory(
            atPath: "\(folder)/logs", withIntermediateDirectories: true)
        _ = FileManager.default.createFile(
            atPath: "\(folder)/logs/r-others.tfrecord", contents: nil)
        for value in 0..<10 { try answer(logs, Float(value)) }
        #expect(logs.flush())
        #expect(files.count == 4 && files.contains("r-others.tfrecord"))
        let values = try files.filter { $0 != "r-others.tfrecord" }.flatMap {
            try records($0).map { $0.predictLog.request.inputs["x"]?.floatVal }
        }
        #expect(values == [[7], [8], [9]])
        #expect(count("written") == 10)
    }

    @Test func file_thatSomebodyRemoved_isFollowedByANewOne() throws {
        let logs = makeLogs()
        configure(logs, configuration(.tfrecord))
        for value: Float in [1, 2] {
            try answer(logs, value)
            #expect(logs.flush())
            let name = try #require(files.first)
            #expect(files.count == 1)
            let record = try #require(try records(name).first)
            #expect(record.predictLog.request.inputs["x"]?.floatVal == [value])
            try FileManager.default.removeItem(atPath: "\(folder)/logs/\(name)")
        }
    }

    @Test func nothing_isLoggedOfOtherModelsOrAtRateZero() throws {
        let logs = makeLogs()
        #expect(logs.sample(model: "m") == nil)
        configure(logs, configuration(.tfrecord, rate: 0))
        #expect(logs.sample(model: "m") == nil)
        configure(logs, configuration(.tfrecord))
        #expect(logs.sample(model: "m") != nil)
        #expect(logs.sample(model: "other") == nil)
        logs.configure([])
        #expect(logs.sample(model: "m") == nil)
    }

    @Test func rate_isTheShareThatIsLogged() {
        let logs = makeLogs()
        configure(logs, configuration(.tfrecord, rate: 0.25))
        let chosen = (0..<4000).count { _ in logs.sample(model: "m") != nil }
        #expect((800...1200).contains(chosen), "\(chosen) of 4000")
    }

    @Test func folder_thatCannotBeMade_losesRecordsAndIsToldOnce() throws {
        _ = FileManager.default.createFile(atPath: folder, contents: nil)
        let logs = makeLogs()
        configure(logs, configuration(.tfrecord))
        for _ in 0..<3 {
            try answer(logs)
            #expect(logs.flush())
        }
        #expect(count("failed") == 3)
        #expect(messages.lines.count { $0.contains("requests cannot be logged") } == 1)
        let page = String(decoding: servingMetrics.prometheusText(), as: UTF8.self)
        #expect(
            page.contains(
                #":tensorflow:serving:request_log_count{model_name="m",status_code="UNAVAILABLE"} 3"#
            ))
    }

    @Test func otherFiles_areNeverTakenForLogs() {
        func isLog(_ name: String) -> Bool {
            RotatingFile.isLog(name, start: "r-", suffix: ".jsonl")
        }
        #expect(isLog("r-20261124T103000Z-12-000001.jsonl"))
        for name in [
            "r-.jsonl", "r-20261124T103000Z-12.jsonl", "r-20261124T103000Z-12-x.jsonl",
            "r-20261124-12-000001.jsonl", "x-20261124T103000Z-12-000001.jsonl",
            "r-20261124T103000Z-12-000001.tfrecord", "r-more-20261124T103000Z-12-1.jsonl",
        ] {
            #expect(!isLog(name), "\(name)")
        }
    }
}
