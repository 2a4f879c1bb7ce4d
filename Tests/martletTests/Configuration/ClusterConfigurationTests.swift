import Foundation
import MartletConfiguration
import MartletEngines
import Testing

@testable import martlet

@Suite("Cluster configuration")
struct ClusterConfigurationTests {
    @Test func file_withEveryKey_isReadWithPathsRelativeToIt() throws {
        let cluster = try read(
            """
            gateway:
              host: 0.0.0.0
              port: 9080
              admin_port: 9081
            nodes:
              count: 3
              host: localhost
              first_port: 9501
              engine_threads: 4
            models:
              - name: bird
                path: models/bird
                draft_model: drafts/chick.gguf
                expected_concurrency: 16
              - name: "fish"
                path: /elsewhere/../fish
                draft_model: drafts/fry
            model_root: ../root
            """)
        #expect(
            cluster
                == ClusterConfiguration(
                    gateway: .init(host: "0.0.0.0", port: 9080, adminPort: 9081),
                    nodes: .init(count: 3, host: "localhost", firstPort: 9501, engineThreads: 4),
                    models: [
                        .init(
                            name: "bird", path: "/etc/cluster/models/bird",
                            draftModel: "/etc/cluster/drafts/chick.gguf",
                            expectedConcurrency: 16),
                        .init(
                            name: "fish", path: "/fish", draftModel: "/etc/cluster/drafts/fry"),
                    ],
                    modelRoot: "/etc/root"))
    }

    @Test func file_withOnlyModels_hasTheDefaults() throws {
        let cluster = try read("model_root: /models")
        #expect(cluster.gateway == .init(host: "127.0.0.1", port: 8080, adminPort: 8081))
        #expect(
            cluster.nodes == .init(count: 1, host: "127.0.0.1", firstPort: 8501, engineThreads: 8))
        #expect(cluster.models == [])
        #expect(try read("nodes: {count: 3}\nmodel_root: /m").nodes.engineThreads == 2)
        #expect(try read("nodes: {count: 30}\nmodel_root: /m").nodes.engineThreads == 1)
        #expect(try read("gateway:\nnodes: ~\nmodel_root: /m").gateway.port == 8080)
    }

    @Test(arguments: [
        (
            "nodes:\n  cuont: 2\nmodel_root: /m",
            "2: nodes.cuont: unknown key; did you mean 'count'?"
        ),
        ("gatway:\n  port: 1\nmodel_root: /m", "1: gatway: unknown key; did you mean 'gateway'?"),
        (
            "gateway:\n  prot: 1\nmodel_root: /m",
            "2: gateway.prot: unknown key; did you mean 'port'?"
        ),
        (
            "models:\n  - name: a\n    pth: /m",
            "3: models[0].pth: unknown key; did you mean 'path'?"
        ),
        (
            "gateway:\n  colour: red\nmodel_root: /m",
            "2: gateway.colour: unknown key; expected one of 'host', 'port', 'admin_port', "
                + "'policy'"
        ),
    ])
    func unknownKey_isRefusedWithTheNearestMatch(text: String, message: String) {
        expect(text, [message])
    }

    @Test(arguments: [
        (
            "nodes:\n  count: two",
            "2: nodes.count: 'two' is not a number; expected a whole number from 1 to 256"
        ),
        (
            "nodes:\n  count:",
            "2: nodes.count: no value; expected a whole number from 1 to 256"
        ),
        (
            "nodes:\n  count: [2]",
            "2: nodes.count: a list is not a number; expected a whole number from 1 to 256"
        ),
        (
            "gateway:\n  port: '8080'",
            "2: gateway.port: '8080' is not a number; expected a whole number from 0 to 65535; "
                + "remove the quotes"
        ),
        (
            "gateway:\n  port: 80.5",
            "2: gateway.port: '80.5' is not a number; expected a whole number from 0 to 65535"
        ),
        (
            "nodes: 7",
            "1: nodes: '7' is not a section; expected the keys 'count', 'host', "
                + "'first_port', 'engine_threads', 'tls'"
        ),
        (
            "gateway:\n  host: [a]",
            "2: gateway.host: a list is not a text; expected an address such as 127.0.0.1"
        ),
        (
            "gateway:\n  host: ''",
            "2: gateway.host: no value; expected an address such as 127.0.0.1"
        ),
        (
            "gateway:\n  host: http://birds",
            "2: gateway.host: 'http://birds' contains '/'; expected an address such as 127.0.0.1"
        ),
    ])
    func wrongType_isRefusedWithWhatIsExpected(text: String, message: String) {
        expect(text + "\nmodel_root: /m", [message])
    }

    @Test(arguments: [
        (
            "nodes:\n  count: -1",
            "2: nodes.count: -1 is out of range; expected a whole number from 1 to 256"
        ),
        (
            "gateway:\n  port: 65536",
            "2: gateway.port: 65536 is out of range; expected a whole number from 0 to 65535"
        ),
        (
            "nodes:\n  engine_threads: 0",
            "2: nodes.engine_threads: 0 is out of range; expected a whole number from 1 to 1024"
        ),
        (
            "nodes:\n  count: 2\n  first_port: 65535",
            "3: nodes.first_port: 65535 leaves no room for 2 ports below 65536; "
                + "expected at most 65534"
        ),
        (
            "gateway:\n  port: 8081",
            "2: gateway.admin_port: 8081 is also gateway.port; choose another"
        ),
        (
            "nodes:\n  count: 9\ngateway:\n  port: 8503",
            "4: gateway.port: 8503 is also the port of node-3; choose another"
        ),
    ])
    func valueOutOfRange_isRefusedWithTheRange(text: String, message: String) {
        expect(text + "\nmodel_root: /m", [message])
    }

    @Test func tlsOfNodes_isOwnOrOfAFolderOrOff() throws {
        func tls(_ value: String) throws -> ClusterNodeTLS {
            try read("nodes: {tls: \(value)}\nmodel_root: /m").nodes.tls
        }
        #expect(try tls("true") == .own)
        #expect(try tls("false") == .off)
        #expect(try tls("certs") == .folder("/etc/cluster/certs"))
        #expect(try tls("/pki/../certs") == .folder("/certs"))
        #expect(try tls("'true'") == .folder("/etc/cluster/true"))
        #expect(try read("model_root: /m").nodes.tls == .off)
    }

    @Test func policyOfGateway_isRelativeToTheFile() throws {
        let text = "gateway: {policy: ../gateway.yaml}\nmodel_root: /m"
        #expect(try read(text).gateway.policy == "/etc/gateway.yaml")
        #expect(try read("model_root: /m").gateway.policy == nil)
    }

    @Test(arguments: [
        (
            "nodes:\n  tls: missing",
            "2: nodes.tls: there is no 'ca.pem', 'node.pem', 'node.key', 'gateway.pem', "
                + "'gateway.key' that can be read in '/etc/cluster/missing'; expected true, false, "
                + "or a folder of certificates made by 'martlet certs'"
        ),
        (
            "nodes:\n  tls: [certs]",
            "2: nodes.tls: a list is not a text; expected true, false, or a folder of certificates"
        ),
        (
            "nodes:\n  tls:",
            "2: nodes.tls: no value; expected true, false, or a folder of certificates"
        ),
        (
            "gateway:\n  policy: missing.yaml",
            "2: gateway.policy: there is no file at '/etc/cluster/missing.yaml' that can be read; "
                + "create it or correct the path, which is relative to the configuration file"
        ),
    ])
    func filesThatAreMissing_areNamed(text: String, message: String) {
        expect(text + "\nmodel_root: /m", [message])
    }

    @Test func port_ofAnotherInterface_mayBeTheSame() throws {
        let text = "gateway:\n  host: 10.0.0.1\n  port: 8501\nmodel_root: /m"
        #expect(try read(text).gateway.port == 8501)
    }

    @Test func targetLatencyOfAModel_isRead() throws {
        let text = "models:\n  - {name: a, path: /m, target_latency_ms_p99: 50}\n"
        #expect(try read(text).models.first?.targetLatencyMilliseconds == 50)
    }

    @Test func modelsEngineAndPrecision_areRead() throws {
        let text = "models:\n  - {name: a, path: /m, engine: openvino, precision: fast}\n"
        let model = try #require(try read(text + "  - {name: b, path: /m}").models.first)
        #expect(model.engine == .named(.openvino))
        #expect(model.precision == .fast)
    }

    @Test(arguments: [
        (
            "models:\n  - {name: a, path: /m, engine: bird}",
            "2: models[0].engine: 'bird' is not one of auto, auto-both, tensorflow, "
                + "openvino, litert, llama"
        ),
        (
            "models:\n  - {name: a, path: /m, precision: bird}",
            "2: models[0].precision: 'bird' is not one of exact, fast"
        ),
        (
            "models:\n  - {name: a, path: /m, target_latency_ms_p99: 0}",
            "2: models[0].target_latency_ms_p99: 0 is out of range; expected a whole number from 1 "
                + "to 600000 milliseconds"
        ),
        (
            "models:\n  - {name: a, engine: auto}", "2: models[0]: 'path' is missing; add it"
        ),
        ("models:\n  - path: /m", "2: models[0]: 'name' is missing; add it"),
        ("models:\n  - name: a", "2: models[0]: 'path' is missing; add it"),
        (
            "models:\n  - name: a\n    path:",
            "3: models[0].path: no value; expected the folder of its versions"
        ),
        (
            "models:\n  - name: ''\n    path: /m",
            "2: models[0].name: no value; expected the model's name"
        ),
        ("models:\n  -", "2: models[0]: no value; expected 'name' and 'path'"),
        ("models:", "1: models: no value; expected a list, each item with 'name' and 'path'"),
        ("models: []", "1: models: no value; expected a list, each item with 'name' and 'path'"),
        (
            "models: bird",
            "1: models: 'bird' is not a list; expected a list, each item with 'name' and 'path'"
        ),
        (
            "models:\n  - bird",
            "2: models[0]: 'bird' is not a section; expected the keys 'name', 'path', 'engine', "
                + "'precision', 'target_latency_ms_p99', 'draft_model', 'expected_concurrency'"
        ),
        (
            "models:\n  - {name: a, path: /m}\n  - {name: a, path: /n}",
            "3: models[1].name: 'a' is already the name of the model at line 2; choose another"
        ),
        (
            "models:\n  - {name: a, path: /missing}",
            "2: models[0].path: there is no folder at '/missing'; create it or correct the path, "
                + "which is relative to the configuration file"
        ),
        (
            "model_root: missing",
            "1: model_root: there is no folder at '/etc/cluster/missing'; create it or correct "
                + "the path, which is relative to the configuration file"
        ),
        (
            "gateway:\n  port: 1",
            "1: there is nothing to serve; add 'models' with a name and a path, or 'model_root'"
        ),
        ("", "1: there is nothing to serve; add 'models' with a name and a path, or 'model_root'"),
    ])
    func models_mustBeComplete(text: String, message: String) {
        expect(text, [message])
    }

    @Test(arguments: ["a/b", "a:b", "a=b", "\"a\\u0007\""])
    func name_thatAnAddressCannotHold_isRefused(name: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try read("models:\n  - name: \(name)\n    path: /m")
        }
        #expect(error?.problems.map(\.line) == [2])
        #expect(error?.description.contains("a name has no '/', ':', '='") == true)
    }

    @Test(arguments: [
        ("gateway: [1", 1), ("model_root: /m\n\tport: 1", 2), ("nodes: *bird", 1),
        ("model_root: a\n---\nmodel_root: b", 2), ("model_root: a\nnodes:\nnodes:", 2),
        ("a\u{7}b", 1),
    ])
    func text_thatIsNotOneYAMLDocument_isRefusedWithItsLine(text: String, line: Int) throws {
        let error = try #require(throws: ConfigurationError.self) { try read(text) }
        #expect(error.problems.count == 1)
        #expect(abs((error.problems[0].line ?? -9) - line) <= 1, "\(error)")
    }

    @Test func problems_areAllToldInTheOrderOfLines() {
        expect(
            "models:\n  - name: a/b\n    path: /m\nnodes:\n  cuont: 1\n  first_port: -1",
            [
                "2: models[0].name: 'a/b' contains '/'; "
                    + "a name has no '/', ':', '=' or control characters",
                "5: nodes.cuont: unknown key; did you mean 'count'?",
                "6: nodes.first_port: -1 is out of range; expected a whole number from 0 to 65535",
            ])
    }

    @Test func file_thatCannotBeRead_isNamed() {
        let error = #expect(throws: ConfigurationError.self) {
            try ClusterConfiguration.load(file: "/nonexistent/cluster.yaml")
        }
        #expect(
            error?.description == "/nonexistent/cluster.yaml: cannot be read: there is no such file"
        )
    }

    @Test func file_thatIsTooLargeOrNotText_isRefused() throws {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-cluster-\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(repeating: 0x20, count: ClusterConfiguration.maximumBytes + 1).write(to: file)
        #expect(throws: ConfigurationError.self) {
            try ClusterConfiguration.load(file: file.path)
        }
        try Data([0xFF, 0xFE, 0xFF]).write(to: file)
        #expect(throws: ConfigurationError.self) {
            try ClusterConfiguration.load(file: file.path)
        }
    }

    // MARK: - Helpers

    /// Reads a file of a machine with eight processors and every folder and file not called
    /// missing.
    private func read(_ text: String) throws -> ClusterConfiguration {
        try ClusterConfiguration.parse(
            text, file: "/etc/cluster/cluster.yaml", processors: 8,
            isFolder: { !$0.hasSuffix("missing") }, isReadable: { !$0.contains("missing") })
    }

    private func expect(
        _ text: String, _ messages: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: ConfigurationError.self, sourceLocation: sourceLocation) {
            try read(text)
        }
        #expect(
            error?.messages == messages.map { "/etc/cluster/cluster.yaml:\($0)" },
            sourceLocation: sourceLocation)
    }
}
