import MartletCore

/// A gRPC call with one message that asks a model, and may say which of its versions.
///
/// These are the calls that a canary is about, and the one that describes a model. Not among them:
/// streams, whose later messages nobody looks at; compressed messages; and `MultiInference`, each
/// task of which names a model.
struct VersionedCall: Sendable, Equatable {
    /// What is asked of which model and version.
    let target: ModelTarget
    private let frame: [UInt8]

    /// Bytes in front of a message (gRPC over HTTP/2, "Length-Prefixed-Message").
    static let prefixBytes = 5

    /// Reads a call; nil if it is none of these, or broken.
    ///
    /// - Parameters:
    ///   - path: the path of its method.
    ///   - frame: its only message behind its prefix, and nothing else.
    init?(path: String, frame: [UInt8]) {
        guard let method = VersionedCall.methods[path],
            let message = VersionedCall.message(of: frame),
            let asked = try? VersionedCall.asked(by: message, method.api), !asked.model.isEmpty
        else { return nil }
        target = ModelTarget(
            api: method.api, model: asked.model, version: asked.version, verb: method.verb)
        self.frame = frame
    }

    private static let methods: [String: (api: ModelTarget.API, verb: ModelTarget.Verb)] = [
        "/tensorflow.serving.PredictionService/Predict": (.tensorFlowServing, .predict),
        "/tensorflow.serving.PredictionService/Classify": (.tensorFlowServing, .classify),
        "/tensorflow.serving.PredictionService/Regress": (.tensorFlowServing, .regress),
        "/tensorflow.serving.PredictionService/GetModelMetadata": (.tensorFlowServing, .metadata),
        "/inference.GRPCInferenceService/ModelInfer": (.openInference, .infer),
    ]

    /// The message of a frame that holds one, not compressed; nil for any other.
    static func message(of frame: [UInt8]) -> ArraySlice<UInt8>? {
        guard isFrame(frame), frame[0] == 0 else { return nil }
        return frame[prefixBytes...]
    }

    /// Whether a body is one message behind its prefix, compressed or not, and nothing else.
    static func isFrame(_ body: [UInt8]) -> Bool {
        guard body.count >= prefixBytes, body[0] <= 1 else { return false }
        let length = body[1..<prefixBytes].reduce(0) { $0 << 8 | Int($1) }
        return body.count - prefixBytes == length
    }

    // MARK: Reading

    private static func asked(
        by message: ArraySlice<UInt8>, _ api: ModelTarget.API
    ) throws(ServingError) -> (model: String, version: ModelTarget.Version)? {
        switch api {
        case .tensorFlowServing:
            var specification = ModelSpecification()
            var fields = ProtobufFields(message)
            while let field = try fields.next() {
                guard field.number == 1, case .bytes(let bytes) = field.value else { continue }
                try specification.merge(bytes)
            }
            return (specification.name, specification.version)
        case .openInference:
            var (model, text) = ("", "")
            var fields = ProtobufFields(message)
            while let field = try fields.next() {
                guard case .bytes(let bytes) = field.value else { continue }
                if field.number == 1 { model = String(decoding: bytes, as: UTF8.self) }
                if field.number == 2 { text = String(decoding: bytes, as: UTF8.self) }
            }
            return ModelTarget.Version(openInference: text).map { (model, $0) }
        }
    }

    // MARK: Writing

    /// The frame of the same call of another version of the model.
    ///
    /// The version is written behind the message, which is neither decoded nor copied a second
    /// time: readers of Protocol Buffers merge what is there twice, and of two alternatives, or two
    /// texts, take the last.
    ///
    /// - Parameters:
    ///   - version: the version to ask.
    ///   - named: the version that the call may name itself, beside none: a call that names another
    ///     one goes there.
    /// - Returns: the frame; nil for a call that names another version, or would be too long.
    func frame(
        asking version: TrafficPolicy.VersionName, insteadOf named: TrafficPolicy.VersionName? = nil
    ) -> [UInt8]? {
        let own = TrafficPolicy.VersionName(target.version)
        guard own == nil || own == named else { return nil }
        let addition =
            switch target.api {
            case .tensorFlowServing: ProtobufFields.field(1, VersionedCall.choice(of: version))
            case .openInference: ProtobufFields.field(2, VersionedCall.text(of: version))
            }
        let length = frame.count - VersionedCall.prefixBytes + addition.count
        guard let length = UInt32(exactly: length) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(frame.count + addition.count)
        bytes.append(0)
        for shift in [24, 16, 8, 0] as [UInt32] {
            bytes.append(UInt8(truncatingIfNeeded: length >> shift))
        }
        bytes += frame[VersionedCall.prefixBytes...]
        bytes += addition
        return bytes
    }

    /// A `ModelSpec` that says the version alone.
    private static func choice(of version: TrafficPolicy.VersionName) -> [UInt8] {
        switch version {
        // The number is written even if it is 0, which else would leave another one as it is.
        case .number(let number):
            ProtobufFields.field(2, [1 << 3] + [UInt8](varint: UInt64(bitPattern: Int64(number))))
        case .label(let label): ProtobufFields.field(4, Array(label.utf8))
        }
    }

    private static func text(of version: TrafficPolicy.VersionName) -> [UInt8] {
        switch version {
        case .number(let number): Array(String(number).utf8)
        case .label(let label): Array(label.utf8)
        }
    }
}

/// The `ModelSpec` of TensorFlow Serving's messages, as its parts are merged.
struct ModelSpecification: Sendable, Equatable {
    /// The model; empty if it is not named.
    private(set) var name = ""
    private(set) var version = ModelTarget.Version.latest
    /// The signature; empty for the default.
    private(set) var signature = ""
    /// Whether there is anything that this program does not know.
    private(set) var hasUnknownFields = false

    /// Takes in a part that comes behind those before.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for what is no such message.
    mutating func merge(_ message: ArraySlice<UInt8>) throws(ServingError) {
        var fields = ProtobufFields(message)
        while let field = try fields.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let bytes)): name = String(decoding: bytes, as: UTF8.self)
            case (2, .bytes(let bytes)): try mergeNumber(bytes)
            case (3, .bytes(let bytes)): signature = String(decoding: bytes, as: UTF8.self)
            case (4, .bytes(let bytes)): version = .label(String(decoding: bytes, as: UTF8.self))
            default: hasUnknownFields = true
            }
        }
    }

    /// Takes in an `Int64Value`: a number without its field is that before, or 0.
    private mutating func mergeNumber(_ message: ArraySlice<UInt8>) throws(ServingError) {
        if case .number = version {} else { version = .number(0) }
        var fields = ProtobufFields(message)
        while let field = try fields.next() {
            if field.number == 1, case .varint(let value) = field.value {
                version = .number(Int64(bitPattern: value))
            } else {
                hasUnknownFields = true
            }
        }
    }
}
