public import MartletCore

/// What a node is told to do, and what was found of that.
public struct NodeFacts: Sendable, Equatable {
    /// A model that the node is to serve, and the version that it would load.
    public struct Model: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// What was found: the version's number, format, bytes and signatures in words.
        public var found = ""
        /// Bytes of the version's files.
        public var bytes = 0
        /// Bytes that it takes beside them, as far as they are known before it is loaded: of a
        /// language model its KV memory, and what is computed in, and all of that and the weights
        /// once more where two engines may keep it.
        public var workingBytes = 0
        /// What keeps it from being served; `nil` for nothing.
        public var problem: String?

        /// Creates a finding.
        public init(name: String) {
            self.name = name
        }
    }

    /// An engine.
    public struct Engine: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Where it is and of which version, in words.
        public var found = ""
        /// Why it cannot be opened, and what to do; `nil` if it can.
        public var problem: String?
        /// Whether the node cannot do without.
        public var isNeeded: Bool

        /// Creates a finding.
        public init(name: String, isNeeded: Bool) {
            self.name = name
            self.isNeeded = isNeeded
        }
    }

    /// Where a process is to listen.
    public struct Address: Sendable, Equatable {
        /// The address.
        public var host: String
        /// The port; 0 for any free one.
        public var port: Int

        /// Creates an address.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// What users call it.
    public var name: String
    /// Its threads.
    public var threads: ThreadBudget
    /// Where it is to listen.
    public var addresses: [Address] = []
    /// Connections that it is to take.
    public var connections: Int
    /// Its models.
    public var models: [Model] = []
    /// Bytes that all its models together may take; `nil` without a bound.
    public var memoryBudget: Int?
    /// Whether a model is to be run in 16-bit numbers.
    public var wantsFastPrecision = false

    /// Creates facts.
    public init(name: String, threads: ThreadBudget, connections: Int) {
        self.name = name
        self.threads = threads
        self.connections = connections
    }

    /// Bytes of the files of all its models.
    var fileBytes: Int { models.map(\.bytes).saturatingSum }

    /// Bytes that all its models take beside their files.
    var workingBytes: Int { models.map(\.workingBytes).saturatingSum }

    /// Bytes that its models take, or the bound on them.
    var modelBytes: Int {
        let needed = [fileBytes, workingBytes].saturatingSum
        return memoryBudget.map { min($0, needed) } ?? needed
    }
}
