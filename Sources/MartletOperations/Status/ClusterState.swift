public import Foundation

/// What `martlet up` runs, as its state file tells other programs.
public struct ClusterState: Codable, Sendable, Equatable {
    /// The gateway's process.
    public struct Gateway: Codable, Sendable, Equatable {
        /// Its number; null while there is no process.
        public var pid: Int32?
        /// Where clients reach it.
        public var address: String
        /// Where its health, metrics and endpoints are.
        public var adminAddress: String

        /// Creates the state of a gateway.
        public init(pid: Int32?, address: String, adminAddress: String) {
            self.pid = pid
            self.address = address
            self.adminAddress = adminAddress
        }
    }

    /// One node's process.
    public struct Node: Codable, Sendable, Equatable {
        /// What users call it.
        public var name: String
        /// Its number; null while there is no process.
        public var pid: Int32?
        /// Where the gateway reaches it.
        public var address: String
        /// How often it was started again.
        public var restarts: Int
        /// `starting`, `ready`, `backing-off` or `stopped`.
        public var state: String

        /// Creates the state of a node.
        public init(name: String, pid: Int32?, address: String, restarts: Int, state: String) {
            self.name = name
            self.pid = pid
            self.address = address
            self.restarts = restarts
            self.state = state
        }
    }

    /// The process of `martlet up` itself.
    public var pid: Int32
    /// The folder of the certificates by which gateway and nodes know each other; null where they
    /// speak in the clear.
    public var certificates: String?
    /// The gateway.
    public var gateway: Gateway
    /// The nodes, in order.
    public var nodes: [Node]

    /// Creates a state.
    public init(pid: Int32, certificates: String? = nil, gateway: Gateway, nodes: [Node]) {
        self.pid = pid
        self.certificates = certificates
        self.gateway = gateway
        self.nodes = nodes
    }

    /// Makes the file hold this state.
    ///
    /// It is written aside and then renamed, so that a reader finds a whole state at any moment.
    public func write(to file: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        var content = try encoder.encode(self)
        content.append(UInt8(ascii: "\n"))
        try content.write(to: file, options: .atomic)
    }

    /// Reads the state that a file holds.
    public init(contentsOf file: URL) throws {
        self = try JSONDecoder().decode(ClusterState.self, from: Data(contentsOf: file))
    }
}

// What is missing, such as a process, is written as null: readers may rely on every key.

extension ClusterState {
    private enum CodingKeys: String, CodingKey {
        case pid, certificates, gateway, nodes
    }

    /// Writes all keys.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(pid, forKey: .pid)
        try container.encode(certificates, forKey: .certificates)
        try container.encode(gateway, forKey: .gateway)
        try container.encode(nodes, forKey: .nodes)
    }
}

extension ClusterState.Gateway {
    private enum CodingKeys: String, CodingKey {
        case pid, address
        case adminAddress = "admin_address"
    }

    /// Writes all keys.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(pid, forKey: .pid)
        try container.encode(address, forKey: .address)
        try container.encode(adminAddress, forKey: .adminAddress)
    }
}

extension ClusterState.Node {
    private enum CodingKeys: String, CodingKey {
        case name, pid, address, restarts, state
    }

    /// Writes all keys.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(pid, forKey: .pid)
        try container.encode(address, forKey: .address)
        try container.encode(restarts, forKey: .restarts)
        try container.encode(state, forKey: .state)
    }
}
