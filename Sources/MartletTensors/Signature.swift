import MartletCore

/// What a signature says of the shape of one of its tensors.
public struct ShapeSpec: Sendable, Hashable, CustomStringConvertible {
    /// Sizes of the dimensions, -1 for any size; `nil` when even the rank is unknown.
    public let dimensions: [Int]?

    /// A shape of which nothing is known.
    public static let unknownRank = ShapeSpec(dimensions: nil)

    /// Creates a spec.
    public init(dimensions: [Int]?) {
        self.dimensions = dimensions
    }

    /// Whether a tensor of this shape fits.
    public func accepts(_ shape: Shape) -> Bool {
        guard let dimensions else { return true }
        return dimensions.count == shape.rank
            && zip(dimensions, shape.dimensions).allSatisfy { $0 < 0 || $0 == $1 }
    }

    /// The form messages use: `[-1,4]`, or `[?]` for an unknown rank.
    public var description: String { dimensions.map(Shape.text) ?? "[?]" }
}

/// What a signature says of one of its tensors.
public struct TensorSpec: Sendable, Hashable {
    /// The name (alias) clients use.
    public let name: String

    /// The name of the tensor in the model's graph, such as `serving_default_x:0`.
    public let graphName: String

    /// The element type.
    public let dtype: DataType

    /// The shapes allowed.
    public let shape: ShapeSpec

    /// Creates a spec.
    public init(name: String, graphName: String, dtype: DataType, shape: ShapeSpec) {
        self.name = name
        self.graphName = graphName
        self.dtype = dtype
        self.shape = shape
    }
}

/// A named function of a servable.
public struct Signature: Sendable, Hashable {
    /// The signature used when a request names none.
    public static let defaultName = "serving_default"

    /// The name clients use.
    public let name: String

    /// What kind of function it is, such as `tensorflow/serving/predict`.
    public let methodName: String

    /// The inputs, sorted by name.
    public let inputs: [TensorSpec]

    /// The outputs, sorted by name.
    public let outputs: [TensorSpec]

    /// Creates a signature; sorts inputs and outputs by name.
    public init(name: String, methodName: String, inputs: [TensorSpec], outputs: [TensorSpec]) {
        self.name = name
        self.methodName = methodName
        self.inputs = inputs.sorted { $0.name < $1.name }
        self.outputs = outputs.sorted { $0.name < $1.name }
    }
}

extension Signature {
    /// Checks a request's tensors against the inputs and brings them into the inputs' order.
    ///
    /// Shapes are the engine's to judge: many models take more than their signature says, and
    /// TensorFlow Serving lets them. See ``shapeFault(in:)``.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) naming the tensor that is missing, unknown, or
    ///   of another type. The messages for names are TensorFlow Serving's.
    public func validate(_ tensors: [NamedTensor]) throws -> [NamedTensor] {
        if tensors.count == inputs.count, zip(inputs, tensors).allSatisfy({ $0.name == $1.name }) {
            // They are in order already, as a single one always is.
            for (spec, named) in zip(inputs, tensors) { try check(named.tensor, against: spec) }
            return tensors
        }
        let byName = Dictionary(tensors.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        guard byName.count == inputs.count, inputs.allSatisfy({ byName[$0.name] != nil }) else {
            throw inputNamesError(sent: Set(byName.keys))
        }
        return try inputs.map { spec in
            guard let named = byName[spec.name] else {
                throw inputNamesError(sent: Set(byName.keys))
            }
            try check(named.tensor, against: spec)
            return named
        }
    }

    private func check(_ tensor: Tensor, against spec: TensorSpec) throws {
        guard tensor.dtype == spec.dtype else {
            throw ServingError.invalidArgument(
                "Input tensor '\(spec.name)' has dtype \(tensor.dtype.name); "
                    + "signature '\(name)' expects \(spec.dtype.name)")
        }
    }

    /// The first input whose shape is not what the signature says, told to a client.
    ///
    /// - Parameter tensors: validated inputs, in the signature's order.
    /// - Returns: what is wrong; `nil` when every shape fits.
    public func shapeFault(in tensors: [NamedTensor]) -> String? {
        zip(inputs, tensors).first { !$0.shape.accepts($1.tensor.shape) }.map { spec, named in
            "Input tensor '\(spec.name)' has shape \(named.tensor.shape); "
                + "signature '\(name)' expects \(spec.shape)"
        }
    }

    private func inputNamesError(sent: Set<String>) -> ServingError {
        let expected = Set(inputs.map(\.name))
        func list(_ names: Set<String>) -> String { "{\(names.sorted().joined(separator: ","))}" }
        return .invalidArgument(
            "input size does not match signature: \(sent.count)!=\(expected.count) "
                + "len(\(list(sent))) != len(\(list(expected))). "
                + "Sent extra: \(list(sent.subtracting(expected))). "
                + "Missing but required: \(list(expected.subtracting(sent))).")
    }

    /// The outputs a request asked for, or all of them when it asked for none.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for an unknown or repeated name, with
    ///   TensorFlow Serving's messages.
    public func selectOutputs(_ filter: [String]) throws -> [TensorSpec] {
        guard !filter.isEmpty else { return outputs }
        var seen: Set<String> = []
        return try filter.map { name in
            guard let output = outputs.first(where: { $0.name == name }) else {
                throw ServingError.invalidArgument(
                    "output tensor alias not found in signature: \(name) "
                        + "Outputs expected to be in the set "
                        + "{\(outputs.map(\.name).joined(separator: ","))}.")
            }
            guard seen.insert(name).inserted else {
                throw ServingError.invalidArgument("duplicate output tensor alias: \(name)")
            }
            return output
        }
    }
}
