internal import Foundation
import MartletEngines

/// What the admin API tells of one model: its configuration and its state.
public struct AdminModel: Codable, Sendable, Equatable {
    /// One version.
    public struct Version: Codable, Sendable, Equatable {
        /// Its number.
        public var version: Int64
        /// `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        public var state: String
        /// Why it failed to load; empty when it did not.
        public var error: String
        /// Which engine runs it, and why; absent while none does.
        public var engine: AdminEngine?
    }

    /// Its name.
    public var name: String
    /// The folder of its versions.
    public var basePath: String
    /// Which versions are served.
    public var versionPolicy: VersionPolicy
    /// Names for versions.
    public var labels: [String: Int64]
    /// Whether it is configured by itself, rather than found under the model root.
    public var configured: Bool
    /// Whether it is to be served; `false` once it was unloaded by request.
    public var served: Bool
    /// Its versions in ascending order.
    public var versions: [Version]

    private enum CodingKeys: String, CodingKey {
        case name, labels, configured, served, versions
        case basePath = "base_path"
        case versionPolicy = "version_policy"
    }
}

/// What the admin API tells of the engine that runs a version.
public struct AdminEngine: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// `exact` or `fast`.
    public var precision: String
    /// Why it was chosen, in one word.
    public var reason: String
    /// Why, in words and figures.
    public var detail: String
    /// Runs a second of the engine that was tried, over those of the reference.
    public var speedup: Double?
    /// The largest difference of their answers, relative to the range of each output.
    public var error: Double?

    init(_ choice: EngineChoice) {
        name = choice.engine
        precision = choice.precision.rawValue
        reason = choice.reason.rawValue
        detail = choice.detail
        speedup = choice.speedup
        error = choice.error
    }
}

/// What `GET /admin/v1/models` answers.
public struct AdminModelList: Codable, Sendable, Equatable {
    /// The models, by name.
    public var models: [AdminModel]

    /// Reads an answer.
    public init(json: [UInt8]) throws {
        self = try JSONDecoder().decode(AdminModelList.self, from: Data(json))
    }

    init(models: [AdminModel]) {
        self.models = models
    }

    func json() throws -> [UInt8] { try AdminModel.encode(self) }
}

extension AdminModel {
    /// The versions that should be served and failed to load.
    public var failures: [Version] {
        let wanted = versionPolicy.aspired(of: versions.map(\.version))
        return versions.filter { !$0.error.isEmpty && wanted.contains($0.version) }
    }

    /// Reads an answer.
    public init(json: [UInt8]) throws {
        self = try JSONDecoder().decode(AdminModel.self, from: Data(json))
    }

    func json() throws -> [UInt8] { try AdminModel.encode(self) }

    fileprivate static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try [UInt8](encoder.encode(value)) + Array("\n".utf8)
    }
}

extension VersionPolicy: Codable {
    private struct Latest: Codable {
        var num_versions: Int
    }

    private struct Specific: Codable {
        var versions: [Int64]
    }

    private enum CodingKeys: String, CodingKey {
        case latest, specific
    }

    /// Reads a policy as the admin API writes it.
    public init(from decoder: any Decoder) throws {
        if (try? decoder.singleValueContainer().decode(String.self)) == "all" {
            self = .all
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let latest = try container.decodeIfPresent(Latest.self, forKey: .latest) {
            self = .latest(count: latest.num_versions)
        } else {
            self = .specific(
                Set(try container.decode(Specific.self, forKey: .specific).versions))
        }
    }

    /// Writes the policy as the admin API does.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .all:
            var container = encoder.singleValueContainer()
            try container.encode("all")
        case .latest(let count):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(Latest(num_versions: count), forKey: .latest)
        case .specific(let versions):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(Specific(versions: versions.sorted()), forKey: .specific)
        }
    }
}
