import MartletCore
import MartletEngines
import MartletModelServer
import MartletOperations
import MartletRepository
import MartletTransport

/// Looks at what a node is told to do, without doing it.
struct NodeInspection {
    /// What users call the node.
    let name: String
    /// What it is told.
    let settings: NodeSettings

    /// What was found, for the checks, where so many threads can compute at once.
    func facts(cores: Int) -> NodeFacts {
        var facts = NodeFacts(
            name: name, threads: ThreadBudget(cores: cores, wishes: settings.threadWishes),
            connections: settings.limits.connections)
        for endpoint in settings.endpoints {
            guard case .tcp(let host, let port) = endpoint.address else { continue }
            facts.addresses.append(.init(host: host, port: port))
        }
        facts.memoryBudget = settings.manager.memoryBudget
        let engines = settings.loading.engines
        facts.wantsFastPrecision = ([engines.precision] + engines.precisions.values).contains(.fast)
        do {
            facts.models = try configurations.map(model)
        } catch {
            var root = NodeFacts.Model(name: settings.modelRoot?.path ?? "")
            root.problem = NodeInspection.text(error)
            facts.models = [root]
        }
        return facts
    }

    /// The formats of the models that could be read.
    var formats: Set<ModelFormat> {
        let models = (try? configurations) ?? []
        let inspections = models.compactMap {
            try? ModelInspection($0, options: settings.loading)
        }
        return Set(inspections.flatMap { $0.versions.map(\.format) })
    }

    /// The models named, and those of the root that are not.
    private var configurations: [ModelConfiguration] {
        get throws {
            let named = Set(settings.models.map(\.name))
            let found = try settings.modelRoot?.models() ?? []
            return settings.models
                + found.filter { !named.contains($0.model) }
                .map { ModelConfiguration(name: $0.model, basePath: $0.path) }
        }
    }

    private func model(_ configuration: ModelConfiguration) -> NodeFacts.Model {
        var model = NodeFacts.Model(name: configuration.name)
        do {
            let inspection = try ModelInspection(configuration, options: settings.loading)
            model.bytes = inspection.versions.map(\.fileBytes).saturatingSum
            model.workingBytes =
                inspection.versions.map { workingBytes(of: $0, configuration.name) }.saturatingSum
            model.found =
                inspection.versions.map { version in
                    NodeInspection.text(version)
                        + (mayTakeTwoEngines(version, configuration.name)
                            ? ", in two engines (auto-both)" : "")
                }.joined(separator: "; ")
        } catch {
            model.problem = NodeInspection.text(error)
        }
        return model
    }

    /// What a language model takes beside its files; a second engine has weights of its own.
    private func workingBytes(of version: ModelInspection.Version, _ model: String) -> Int {
        guard let files = version.language else { return 0 }
        let bytes = LlamaEngine.workingBytes(of: files, options: settings.llama)
        guard mayTakeTwoEngines(version, model) else { return bytes }
        return [bytes, bytes, version.fileBytes].saturatingSum
    }

    private func mayTakeTwoEngines(
        _ version: ModelInspection.Version, _ model: String
    ) -> Bool {
        settings.loading.engines.mayKeepBoth(of: model, version.language) && hasOpenVINOGenAI
    }

    private var hasOpenVINOGenAI: Bool {
        do {
            let path = try OpenVINOGenAIInstallation.locate(preferred: settings.openvinoGenAIPath)
            _ = try OpenVINOGenAIInstallation(directory: path)
            return true
        } catch {
            return false
        }
    }

    private static func text(_ version: ModelInspection.Version) -> String {
        "version \(version.number): \(version.format.rawValue), \(byteText(version.fileBytes)), "
            + "signatures \(version.signatures.joined(separator: " "))"
    }

    /// An error in words for people.
    static func text(_ error: any Error) -> String {
        let lines = ExitCodes.message(of: error)
        return lines.joined(separator: " ")
    }
}
