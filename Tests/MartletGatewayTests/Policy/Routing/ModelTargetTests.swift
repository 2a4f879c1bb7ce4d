import Foundation
import MartletTestKit
import Testing

@testable import MartletGateway

/// What a request names, as nodes understand it: the same cases as the node's own tests.
@Suite("Model that a request names")
struct ModelTargetTests {
    private func naming(_ method: String, _ path: String) -> ModelNaming {
        ModelNaming(isGRPC: false, method: method, path: path)
    }

    private func target(
        _ api: ModelTarget.API, _ model: String, _ version: ModelTarget.Version,
        _ verb: ModelTarget.Verb
    ) -> ModelNaming {
        .path(ModelTarget(api: api, model: model, version: version, verb: verb))
    }

    @Test func tensorFlowServing_isUnderstood() {
        let tf = ModelTarget.API.tensorFlowServing
        #expect(naming("POST", "/v1/models/m:predict") == target(tf, "m", .latest, .predict))
        #expect(naming("POST", "/V1/MODELS/m:Predict") == target(tf, "m", .latest, .predict))
        #expect(
            naming("POST", "/v1/models/m/versions/007:classify")
                == target(tf, "m", .number(7), .classify))
        #expect(
            naming("POST", "/v1/models/m/labels/st%61ble:regress")
                == target(tf, "m", .label("stable"), .regress))
        #expect(naming("GET", "/v1/models/m") == target(tf, "m", .latest, .status))
        #expect(naming("GET", "/v1/models/m/metadata") == target(tf, "m", .latest, .metadata))
        #expect(
            naming("GET", "/v1/models/m/versions/1/metadata")
                == target(tf, "m", .number(1), .metadata))
        #expect(naming("POST", "/v1/models/a%3Ab:predict") == target(tf, "a:b", .latest, .predict))
        #expect(naming("POST", "/v1/models/%6d:predict") == target(tf, "m", .latest, .predict))
        // A model may be called metadata.
        #expect(naming("GET", "/v1/models/metadata") == target(tf, "metadata", .latest, .status))
    }

    @Test(arguments: [
        ("GET", "/v1/models/m:predict"), ("POST", "/v1/models/m"), ("POST", "/v1/models/:predict"),
        ("POST", "/v1/models/m/versions/x:predict"), ("POST", "/v1/models/m/versions/-1:predict"),
        ("POST", "/v1/models/m/versions/99999999999999999999:predict"),
        ("POST", "/v1/models/m%:predict"), ("POST", "/v1/models/m%ff:predict"),
        ("POST", "/v1/models/a%3Apredict"), ("POST", "/v1/models/a:b:predict"),
        ("GET", "/v1/models"),
        ("GET", "/metrics"), ("POST", "/v2/models/m/infer/x"), ("PUT", "/v2/models/m/infer"),
        ("GET", "/v2/models/stats"), ("GET", "/v2/health/ready"), ("GET", "/v2"),
        ("POST", "/V2/models/m/infer"), ("GET", "/v1/chat/completions"),
        ("POST", "/v2/models/m/versions/99999999999999999999/infer"),
    ])
    func path_thatNamesNoModelToANode_namesNone(method: String, path: String) {
        #expect(naming(method, path) == .nowhere)
    }

    @Test func openInference_isUnderstood() {
        let v2 = ModelTarget.API.openInference
        #expect(naming("POST", "/v2/models/m/infer") == target(v2, "m", .latest, .infer))
        #expect(
            naming("POST", "/v2/models/m/versions/3/infer") == target(v2, "m", .number(3), .infer))
        #expect(
            naming("POST", "/v2/models/m/versions/st%61ble/infer")
                == target(v2, "m", .label("stable"), .infer))
        #expect(naming("GET", "/v2/models/m/ready") == target(v2, "m", .latest, .ready))
        #expect(naming("GET", "/v2/models/m") == target(v2, "m", .latest, .metadata))
        #expect(naming("GET", "/v2/models/m/") == target(v2, "m", .latest, .metadata))
        #expect(
            naming("POST", "/v2/repository/models/m/unload") == target(v2, "m", .latest, .unload))
    }

    @Test func bodiesAndMessages_areToldApart() {
        #expect(naming("POST", "/v1/chat/completions") == .body)
        func grpc(_ path: String) -> ModelNaming {
            ModelNaming(isGRPC: true, method: "POST", path: path)
        }
        #expect(grpc("/tensorflow.serving.PredictionService/Predict") == .message)
        #expect(grpc("/tensorflow.serving.ModelService/GetModelStatus") == .message)
        #expect(grpc("/tensorflow.serving.ModelService/HandleReloadConfigRequest") == .nowhere)
        #expect(grpc("/inference.GRPCInferenceService/ModelInfer") == .message)
        #expect(grpc("/inference.GRPCInferenceService/RepositoryModelLoad") == .message)
        #expect(grpc("/inference.GRPCInferenceService/ServerLive") == .nowhere)
        #expect(grpc("/grpc.health.v1.Health/Check") == .nowhere)
        #expect(grpc("/v1/models/m:predict") == .nowhere)
    }

    @Test func decoding_isFoundations() {
        let parts = ["a", "%", "%4", "%41", "%zz", "%C3%A9", "%ff", "%c3", "é", "%00", "%2F"]
        for seed in SimulationSeeds.first(3000) {
            var generator = SeededGenerator(seed: seed)
            let text = (0..<Int.random(in: 0...5, using: &generator)).map { _ in
                parts[Int.random(in: 0..<parts.count, using: &generator)]
            }.joined()
            #expect(
                PathBytes.decoded(Substring(text)) == text.removingPercentEncoding,
                "\(SimulationSeeds.replay(seed)): \(text)")
        }
    }

    @Test func target_isWrittenAsItWasRead() throws {
        let paths = [
            ("POST", "/v1/models/m:predict"), ("POST", "/v1/models/m/versions/7:classify"),
            ("POST", "/v1/models/m/labels/stable:regress"), ("GET", "/v1/models/m"),
            ("GET", "/v1/models/m/versions/1/metadata"), ("POST", "/v2/models/m/infer"),
            ("POST", "/v2/models/m/versions/3/infer"), ("GET", "/v2/models/m"),
            ("GET", "/v2/models/m/ready"), ("POST", "/v2/repository/models/m/load"),
            ("POST", "/v1/models/a%3Ab%20%C3%A9:predict"),
        ]
        for (method, path) in paths {
            guard case .path(let target) = naming(method, path) else {
                Issue.record("\(path)")
                continue
            }
            #expect(target.path(version: TrafficPolicy.VersionName(target.version)) == path)
        }
    }
}
