import MartletCore

/// What a gRPC prediction asks: all that its answer depends on, but for whose it is.
///
/// The input is the message without what names the model, in a canonical form: fields in the order
/// of their numbers, and those of one number in the order in which they came; entries of a map in
/// the order of their bytes, for encoders write them in any. Two encodings of one input that differ
/// otherwise are two inputs, which costs a hit and is never wrong.
///
/// There is none, and so the answer is not cached, for a message that is compressed or broken, that
/// has a field which is not known here, or a map with a name twice: readers take the last of two,
/// and that would be lost with their order. Nor is there one for tensors in shared memory, of which
/// the message tells the place alone. `MultiInference` is not among the calls: each of its tasks
/// names a model.
struct PredictionMessage: Sendable, Hashable {
    /// The model's name.
    let model: String
    /// The version asked for.
    let version: CacheKey.Version
    /// The signature asked for; empty for the default.
    let signature: String
    /// The rest, in canonical form.
    let input: [UInt8]

    /// The most fields of a message, of which each takes some memory.
    static let fieldsMax = 4096

    /// The definition of a message, as far as it matters.
    private struct Form {
        /// Whether field 1 is a `ModelSpec`; else that is the model's name, and 2 the version.
        let hasSpecification: Bool
        /// The numbers of all fields, each of which has a length.
        let fields: ClosedRange<Int>
        /// The number of the field that is a map with texts as keys, if there is one.
        let map: Int?
        /// By numbers of fields that are tensors: the number of the map in them that may say that
        /// the elements lie in shared memory.
        var places: [Int: Int] = [:]

        /// What stands beside the input.
        var names: ClosedRange<Int> { hasSpecification ? 1...1 : 1...2 }
    }

    private static let forms: [String: Form] = [
        "/tensorflow.serving.PredictionService/Predict": Form(
            hasSpecification: true, fields: 1...7, map: 2),
        "/tensorflow.serving.PredictionService/Classify": Form(
            hasSpecification: true, fields: 1...2, map: nil),
        "/tensorflow.serving.PredictionService/Regress": Form(
            hasSpecification: true, fields: 1...2, map: nil),
        "/inference.GRPCInferenceService/ModelInfer": Form(
            hasSpecification: false, fields: 1...7, map: 4, places: [5: 4, 6: 2]),
    ]

    /// Reads a message.
    ///
    /// - Parameters:
    ///   - call: the call that it belongs to.
    ///   - frame: the message behind its prefix, and nothing else.
    init?(_ call: PredictionCall, frame: [UInt8]) {
        guard let form = PredictionMessage.forms[call.operation],
            let message = VersionedCall.message(of: frame),
            let fields = PredictionMessage.fields(of: message, form),
            let named = PredictionMessage.named(by: fields, form), !named.model.isEmpty,
            fields.allSatisfy({ PredictionMessage.isWhole($0, form) }),
            let input = PredictionMessage.canonical(fields, form)
        else { return nil }
        (model, version, signature) = named
        self.input = input
    }

    /// The key of the answer.
    ///
    /// - Parameters:
    ///   - tenant: whose request it is.
    ///   - source: who answers.
    ///   - operation: the call's, and the codings that the client takes answers in.
    ///   - digester: makes the digest.
    /// - Returns: the key.
    func key(
        tenant: String, source: AnswerSource, operation: String, by digester: InputDigester
    ) -> CacheKey {
        CacheKey(
            tenant: tenant, source: source, model: model, version: version,
            signature: signature, operation: operation, input: digester.digest(message: self))
    }

    // MARK: Reading

    private struct Field {
        let number: Int
        let content: ArraySlice<UInt8>
        /// All its bytes.
        let bytes: ArraySlice<UInt8>
    }

    private static func fields(of message: ArraySlice<UInt8>, _ form: Form) -> [Field]? {
        var reader = ProtobufFields(message)
        var fields: [Field] = []
        do throws(ServingError) {
            while let field = try reader.next() {
                guard fields.count < fieldsMax, form.fields.contains(field.number),
                    case .bytes(let content) = field.value
                else { return nil }
                fields.append(
                    Field(number: field.number, content: content, bytes: field.bytes))
            }
        } catch {
            return nil
        }
        return fields
    }

    private static func named(
        by fields: [Field], _ form: Form
    ) -> (model: String, version: CacheKey.Version, signature: String)? {
        guard form.hasSpecification else {
            func last(_ number: Int) -> String {
                let content = fields.last { $0.number == number }?.content ?? []
                return String(decoding: content, as: UTF8.self)
            }
            return ModelTarget.Version(openInference: last(2)).map { version in
                (last(1), CacheKey.Version(version), "")
            }
        }
        var specification = ModelSpecification()
        for field in fields where field.number == 1 {
            guard (try? specification.merge(field.content)) != nil else { return nil }
        }
        guard !specification.hasUnknownFields else { return nil }
        return (
            specification.name, CacheKey.Version(specification.version), specification.signature
        )
    }

    /// Whether a field holds itself what it is about; false for what is broken, too.
    private static func isWhole(_ field: Field, _ form: Form) -> Bool {
        guard let map = form.places[field.number] else { return true }
        var reader = ProtobufFields(field.content)
        do throws(ServingError) {
            while let inner = try reader.next() {
                guard inner.number == map, case .bytes(let entry) = inner.value else { continue }
                guard let key = key(ofEntry: entry), !SharedMemoryNaming.isPlace(key) else {
                    return false
                }
            }
        } catch {
            return false
        }
        return true
    }

    // MARK: Canonical form

    private static func canonical(_ fields: [Field], _ form: Form) -> [UInt8]? {
        let input = fields.filter { !form.names.contains($0.number) }
        let places = input.indices.sorted { one, other in
            let (left, right) = (input[one], input[other])
            guard left.number == right.number else { return left.number < right.number }
            guard left.number == form.map else { return one < other }
            return left.bytes.lexicographicallyPrecedes(right.bytes)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(input.reduce(0) { $0 + $1.bytes.count })
        var keys: Set<[UInt8]> = []
        for place in places {
            let field = input[place]
            if field.number == form.map {
                guard let key = key(ofEntry: field.content), keys.insert(key).inserted else {
                    return nil
                }
            }
            bytes += field.bytes
        }
        return bytes
    }

    /// The key of a map's entry, which is empty if it is not there; nil for what is broken.
    private static func key(ofEntry entry: ArraySlice<UInt8>) -> [UInt8]? {
        var reader = ProtobufFields(entry)
        var key: [UInt8] = []
        do throws(ServingError) {
            while let field = try reader.next() {
                if field.number == 1, case .bytes(let bytes) = field.value { key = Array(bytes) }
            }
        } catch {
            return nil
        }
        return key
    }
}

extension CacheKey.Version {
    /// The version of a target.
    init(_ version: ModelTarget.Version) {
        switch version {
        case .latest: self = .latest
        case .number(let number): self = .number(number)
        case .label(let label): self = .label(label)
        }
    }
}
