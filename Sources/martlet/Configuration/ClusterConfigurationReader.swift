import Foundation
import MartletConfiguration
import MartletEngines
import MartletModelServer

/// Turns the nodes of a YAML file into a configuration, and notes what is wrong.
struct ClusterConfigurationReader {
    /// What is wrong, as far as it was read.
    var problems = ConfigurationProblems()

    private let folder: URL
    private let processors: Int
    private let isFolder: (String) -> Bool
    /// Whether there is a file at a path that can be read.
    let isReadable: (String) -> Bool

    private static let ports = 0...65535
    /// The keys of a model.
    private static let required = ["name", "path"]
    private static let optional = [
        "engine", "precision", "target_latency_ms_p99", "draft_model",
        "expected_concurrency",
    ]

    /// Creates a reader; paths are relative to the folder.
    init(
        folder: URL, processors: Int, isFolder: @escaping (String) -> Bool,
        isReadable: @escaping (String) -> Bool
    ) {
        self.folder = folder
        self.processors = processors
        self.isFolder = isFolder
        self.isReadable = isReadable
    }

    /// Reads the whole file; what is wrong has its default in the result.
    mutating func cluster(_ value: ConfigurationValue) -> ClusterConfiguration {
        let root = ConfigurationSection(
            value, keys: ["gateway", "nodes", "language_models", "models", "model_root"],
            problems: &problems)
        let gateway = root.section(
            "gateway", keys: ["host", "port", "admin_port", "policy"], problems: &problems)
        let nodes = root.section(
            "nodes", keys: ["count", "host", "first_port", "engine_threads", "tls"],
            problems: &problems)
        let languageModels = root.section(
            "language_models", keys: ClusterLanguageModels.keys, problems: &problems)
        let hadProblems = !problems.problems.isEmpty
        let cluster = ClusterConfiguration(
            gateway: self.gateway(gateway), nodes: self.nodes(nodes),
            languageModels: self.languageModels(languageModels),
            models: root["models"].map { models($0) } ?? [],
            modelRoot: root.text("model_root", "the path of a folder", problems: &problems)
                .map { path($0, root["model_root"]) })
        if root["models"] == nil, root["model_root"] == nil, !hadProblems {
            problems.add(
                line: root.line, "",
                "there is nothing to serve; add 'models' with a name and a path, or 'model_root'")
        }
        checkPorts(of: cluster, gateway: gateway, nodes: nodes)
        return cluster
    }

    private mutating func gateway(
        _ section: ConfigurationSection
    ) -> ClusterConfiguration.Gateway {
        var gateway = ClusterConfiguration.Gateway()
        gateway.host = host(section) ?? gateway.host
        gateway.port = section.number(
            "port", default: gateway.port, in: Self.ports, problems: &problems)
        gateway.adminPort = section.number(
            "admin_port", default: gateway.adminPort, in: Self.ports, problems: &problems)
        gateway.policy = policy(section)
        return gateway
    }

    private mutating func nodes(_ section: ConfigurationSection) -> ClusterConfiguration.Nodes {
        var nodes = ClusterConfiguration.Nodes()
        nodes.host = host(section) ?? nodes.host
        nodes.count = section.number(
            "count", default: nodes.count, in: 1...256, problems: &problems)
        nodes.firstPort = section.number(
            "first_port", default: nodes.firstPort, in: Self.ports, problems: &problems)
        nodes.engineThreads = section.number(
            "engine_threads", default: max(processors / nodes.count, 1), in: 1...1024,
            problems: &problems)
        nodes.tls = nodeTLS(section)
        return nodes
    }

    private mutating func host(_ section: ConfigurationSection) -> String? {
        let meaning = "an address such as 127.0.0.1"
        guard let host = section.text("host", meaning, problems: &problems) else { return nil }
        guard let bad = host.unicodeScalars.first(where: isForbiddenInHosts) else { return host }
        problems.add(
            line: section["host"]?.line, section["host"]?.keyPath ?? "",
            "'\(host)' contains \(shown(bad)); expected \(meaning)")
        return nil
    }

    private mutating func models(_ value: ConfigurationValue) -> [ClusterConfiguration.Model] {
        guard let items = value.items, !items.isEmpty else {
            let isAbsent = value.isEmpty || value.items != nil
            let found = isAbsent ? "no value" : "\(value.shown) is not a list"
            problems.add(
                line: value.line, value.keyPath,
                "\(found); expected a list, each item with 'name' and 'path'")
            return []
        }
        var firstLines: [String: Int] = [:]
        return items.compactMap { model($0, firstLines: &firstLines) }
    }

    private mutating func model(
        _ item: ConfigurationValue, firstLines: inout [String: Int]
    ) -> ClusterConfiguration.Model? {
        let section = ConfigurationSection(
            item, keys: Self.required + Self.optional, problems: &problems)
        let isComplete = checkRequired(
            Self.required, optional: Self.optional, of: section, item)
        let name = section.text("name", "the model's name", problems: &problems)
        let path = section.text("path", "the folder of its versions", problems: &problems)
            .map { self.path($0, section["path"]) }
        guard isComplete, let name, let path, let place = section["name"] else { return nil }
        if let bad = name.unicodeScalars.first(where: isForbiddenInNames) {
            problems.add(
                line: place.line, place.keyPath,
                "'\(name)' contains \(shown(bad)); "
                    + "a name has no '/', ':', '=' or control characters")
        } else if let first = firstLines[name] {
            problems.add(
                line: place.line, place.keyPath,
                "'\(name)' is already the name of the model at line \(first); choose another")
        }
        firstLines[name] = firstLines[name] ?? place.line
        return .init(
            name: name, path: path, engine: engine(section), precision: precision(section),
            targetLatencyMilliseconds: targetLatency(section),
            draftModel: draftModel(section), expectedConcurrency: expectedConcurrency(section))
    }

    /// A file is looked at when it is loaded.
    private mutating func draftModel(_ section: ConfigurationSection) -> String? {
        let meaning = "the path of a GGUF file, or of a folder with one"
        guard let text = section.text("draft_model", meaning, problems: &problems) else {
            return nil
        }
        guard text.hasSuffix(".gguf") else { return path(text, section["draft_model"]) }
        return URL(fileURLWithPath: text, relativeTo: folder).standardizedFileURL.path
    }

    private mutating func targetLatency(_ section: ConfigurationSection) -> Int? {
        let key = "target_latency_ms_p99"
        guard section[key] != nil else { return nil }
        let range = BatchingParameters.targetMillisecondsRange
        return section.number(
            key, default: range.lowerBound, in: range, unit: " milliseconds", problems: &problems)
    }

    private mutating func expectedConcurrency(_ section: ConfigurationSection) -> Int? {
        let key = "expected_concurrency"
        guard section[key] != nil else { return nil }
        let range = EngineSettings.concurrencyRange
        return section.number(
            key, default: range.lowerBound, in: range, unit: " sequences", problems: &problems)
    }

    private mutating func engine(_ section: ConfigurationSection) -> EnginePreference? {
        word(section, "engine", EnginePreference.allNames) { EnginePreference(text: $0) }
    }

    private mutating func precision(_ section: ConfigurationSection) -> EnginePrecision? {
        word(section, "precision", EnginePrecision.allCases.map(\.rawValue)) {
            EnginePrecision(rawValue: $0)
        }
    }

    /// One of a few words.
    private mutating func word<Value>(
        _ section: ConfigurationSection, _ key: String, _ words: [String],
        _ value: (String) -> Value?
    ) -> Value? {
        let meaning = "one of \(words.joined(separator: ", "))"
        guard let text = section.text(key, meaning, problems: &problems) else { return nil }
        if let value = value(text) { return value }
        problems.add(
            line: section[key]?.line, section[key]?.keyPath ?? "", "'\(text)' is not \(meaning)")
        return nil
    }

    /// Notes keys that are missing; not if there are strange ones, which are probably meant.
    private mutating func checkRequired(
        _ keys: [String], optional: [String], of section: ConfigurationSection,
        _ item: ConfigurationValue
    ) -> Bool {
        let missing = keys.filter { section[$0] == nil }
        guard let keyCount = item.keyCount else {
            if item.isEmpty {
                problems.add(
                    line: item.line, item.keyPath, "no value; expected 'name' and 'path'")
            }
            return false
        }
        let known = (keys + optional).filter { section[$0] != nil }.count
        if keyCount == known {
            for key in missing {
                problems.add(line: item.line, item.keyPath, "'\(key)' is missing; add it")
            }
        }
        return missing.isEmpty
    }

    /// The absolute form of a path.
    func absolute(_ text: String) -> String {
        URL(fileURLWithPath: text, relativeTo: folder).standardizedFileURL.path
    }

    /// The absolute form of a path, which must be of a folder.
    mutating func path(_ text: String, _ value: ConfigurationValue?) -> String {
        let path = absolute(text)
        if !isFolder(path) {
            problems.add(
                line: value?.line, value?.keyPath ?? "",
                "there is no folder at '\(path)'; create it or correct the path, "
                    + "which is relative to the configuration file")
        }
        return path
    }

    /// Two listeners on one port would fail only at start, and then again and again.
    private mutating func checkPorts(
        of cluster: ClusterConfiguration, gateway: ConfigurationSection,
        nodes: ConfigurationSection
    ) {
        let ports = cluster.gateway
        let first = cluster.nodes.firstPort
        let last = first + cluster.nodes.count - 1
        func line(_ key: String) -> Int { gateway[key]?.line ?? gateway.line }
        if first > 0, last > 65535 {
            problems.add(
                line: nodes["first_port"]?.line ?? nodes.line, "nodes.first_port",
                "\(first) leaves no room for \(cluster.nodes.count) ports below 65536; "
                    + "expected at most \(65536 - cluster.nodes.count)")
        }
        if ports.port != 0, ports.port == ports.adminPort, overlap(ports.host, "127.0.0.1") {
            problems.add(
                line: line("admin_port"), "gateway.admin_port",
                "\(ports.adminPort) is also gateway.port; choose another")
        }
        for (key, host, port) in [
            ("port", ports.host, ports.port), ("admin_port", "127.0.0.1", ports.adminPort),
        ] where first > 0 && (first...last).contains(port) && overlap(host, cluster.nodes.host) {
            problems.add(
                line: line(key), "gateway.\(key)",
                "\(port) is also the port of node-\(port - first + 1); choose another")
        }
    }
}

private func isForbiddenInNames(_ scalar: Unicode.Scalar) -> Bool {
    ["/", ":", "="].contains(scalar) || isControl(scalar)
}

private func isForbiddenInHosts(_ scalar: Unicode.Scalar) -> Bool {
    ["/", " ", "[", "]"].contains(scalar) || isControl(scalar)
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.generalCategory == .control
}

private func shown(_ scalar: Unicode.Scalar) -> String {
    isControl(scalar) ? "a control character" : "'\(scalar)'"
}

/// Whether listeners on both addresses would want the same port.
private func overlap(_ first: String, _ second: String) -> Bool {
    let names = [first, second].map { $0 == "localhost" ? "127.0.0.1" : $0 }
    return names[0] == names[1] || names.contains("0.0.0.0") || names.contains("::")
}
