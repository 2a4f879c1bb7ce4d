import MartletCore
import MartletProtocols
import MartletTensors

/// What a model says of each of some examples, in their order.
enum ExampleResult: Equatable {
    /// The classes of each.
    case classes([[ScoredClass]])
    /// A number for each.
    case values([Float])

    /// Reads the outputs of a run.
    ///
    /// - Parameters:
    ///   - outputs: the outputs that ``ExampleMethod/outputNames(of:checksName:definition:)``
    ///     named.
    ///   - method: what was run.
    ///   - count: how many examples went in.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) with TensorFlow Serving's messages when types
    ///   or shapes are not those of the method.
    init(_ outputs: [NamedTensor], of method: ExampleMethod, examples count: Int) throws {
        func tensor(_ name: String) -> Tensor? { outputs.first { $0.name == name }?.tensor }
        switch method {
        case .classify:
            self = .classes(
                try ExampleResult.classes(
                    names: tensor(ExampleMethod.classesName),
                    scores: tensor(ExampleMethod.scoresName), count: count))
        case .regress:
            self = .values(
                try ExampleResult.values(tensor(ExampleMethod.valuesName), count: count))
        }
    }

    private static func classes(
        names: Tensor?, scores: Tensor?, count: Int
    ) throws -> [[ScoredClass]] {
        if let names { try check(names, "classes", dtype: .string, count: count) }
        if let scores { try check(scores, "scores", dtype: .float, count: count) }
        let perExample = (names ?? scores)?.shape.dimensions[1] ?? 0
        if let other = scores?.shape.dimensions[1], other != perExample {
            throw ServingError.invalidArgument(
                "Tensors class and score should match in dim_size(1). "
                    + "Got \(perExample) vs. \(other)")
        }
        let labels = names?.strings.map { String(decoding: $0, as: UTF8.self) }
        let numbers = scores?.values(as: Float.self)
        return (0..<count).map { example in
            (example * perExample..<(example + 1) * perExample).map {
                ScoredClass(label: labels?[$0] ?? "", score: numbers?[$0] ?? 0)
            }
        }
    }

    private static func check(
        _ tensor: Tensor, _ name: String, dtype: DataType, count: Int
    ) throws {
        guard tensor.shape.rank == 2 else {
            throw ServingError.invalidArgument(
                "Expected Tensor shape: [batch_size num_classes] but got \(tensor.shape)")
        }
        guard tensor.dtype == dtype else {
            throw ServingError.invalidArgument(
                "Expected \(name) Tensor of \(dtype.protobufName). "
                    + "Got: \(tensor.dtype.protobufName)")
        }
        guard tensor.shape.dimensions[0] == count else {
            throw ServingError.invalidArgument(
                "Expected \(name) output batch size of \(count). "
                    + "Got: \(tensor.shape.dimensions[0])")
        }
    }

    private static func values(_ output: Tensor?, count: Int) throws -> [Float] {
        guard let output else {
            throw ServingError.invalidArgument("Could not find output tensor 'outputs'")
        }
        let shape = output.shape
        guard shape.rank == 1 || shape.rank == 2 && shape.dimensions[1] == 1 else {
            throw ServingError.invalidArgument(
                "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
                    + "but got \(shape)")
        }
        guard shape.dimensions[0] == count else {
            throw ServingError.invalidArgument(
                "Input batch size did not match output batch size: \(count) vs. "
                    + "\(shape.dimensions[0])")
        }
        guard output.dtype == .float else {
            throw ServingError.invalidArgument(
                "Expected output Tensor of DT_FLOAT.  Got: \(output.dtype.protobufName)")
        }
        return output.values(as: Float.self)
    }
}

extension ExampleResult {
    /// The JSON of the REST API.
    var json: [UInt8] {
        get throws {
            switch self {
            case .classes(let classes): try ExamplesResponseJSON.encode(classes)
            case .values(let values): try ExamplesResponseJSON.encode(values)
            }
        }
    }

    /// The message of the gRPC API, inside whichever response.
    var message: Tensorflow_Serving_InferenceResult.OneOf_Result {
        switch self {
        case .classes(let classes):
            var result = Tensorflow_Serving_ClassificationResult()
            result.classifications = classes.map { classes in
                var classifications = Tensorflow_Serving_Classifications()
                classifications.classes = classes.map { scored in
                    var message = Tensorflow_Serving_Class()
                    message.label = scored.label
                    message.score = scored.score
                    return message
                }
                return classifications
            }
            return .classificationResult(result)
        case .values(let values):
            var result = Tensorflow_Serving_RegressionResult()
            result.regressions = values.map { value in
                var regression = Tensorflow_Serving_Regression()
                regression.value = value
                return regression
            }
            return .regressionResult(result)
        }
    }
}
