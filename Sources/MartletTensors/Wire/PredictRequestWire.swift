public import MartletCore

/// TensorFlow Serving's `PredictRequest`, read in one pass, its tensors straight into their memory.
///
/// The general decoder makes a tree of messages of it first, which costs ten times as much.
public struct PredictRequestWire: Sendable {
    /// Which model; `nil` when the request does not say.
    public private(set) var modelSpec: ModelSpecWire?

    /// The tensors, each name once.
    public private(set) var inputs: [NamedTensor] = []

    /// Names of the outputs wanted; empty for all.
    public private(set) var outputFilter: [String] = []

    /// Most inputs and outputs that are read here.
    private static let entriesMax = 64

    private enum Field {
        static let modelSpec = 1
        static let inputs = 2
        static let outputFilter = 3
        /// Of an entry of a map.
        static let key = 1
        static let value = 2
    }

    /// Reads a message as clients write it.
    ///
    /// It is `nil` for whatever is unusual or wrong; that is left to the decoder of protobuf, which
    /// knows all of the format and has words for it.
    ///
    /// - Parameters:
    ///   - message: the message.
    ///   - limits: bounds the tensors.
    public init?(_ message: [UInt8], limits: Limits) {
        let isRead = message.withUnsafeBytes { bytes in
            (try? read(bytes, limits: limits)) != nil
        }
        guard isRead else { return nil }
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer, limits: Limits) throws {
        var message = WireMessage(bytes)
        while let (number, value) = try message.next() {
            guard case .bytes(let part) = value else { throw WireFault() }
            switch Int(number) {
            case Field.modelSpec:
                guard modelSpec == nil else { throw WireFault() }
                modelSpec = try ModelSpecWire(part)
            case Field.inputs:
                let input = try PredictRequestWire.input(part, limits: limits)
                guard inputs.count < PredictRequestWire.entriesMax,
                    !inputs.contains(where: { $0.name == input.name })
                else { throw WireFault() }
                inputs.append(input)
            case Field.outputFilter:
                guard outputFilter.count < PredictRequestWire.entriesMax else { throw WireFault() }
                outputFilter.append(try String(wire: part))
            default: throw WireFault()
            }
        }
    }

    private static func input(
        _ bytes: UnsafeRawBufferPointer, limits: Limits
    ) throws -> NamedTensor {
        var message = WireMessage(bytes)
        guard let (first, key) = try message.next(), first == Field.key,
            case .bytes(let name) = key,
            let (second, value) = try message.next(), second == Field.value,
            case .bytes(let part) = value, message.isAtEnd,
            let tensor = Tensor(protobuf: part, limits: limits)
        else { throw WireFault() }
        return NamedTensor(name: try String(wire: name), tensor: tensor)
    }
}
