import MartletCore
import MartletTensors

/// The inputs of several tasks as those of one run.
enum BatchInputs {
    /// Most bytes that padding may add to the inputs of a batch.
    ///
    /// One long request among many short ones, or one large row and a large allowed size, would
    /// otherwise take any amount of memory.
    static let paddingBytesMaximum = 512 * 1024 * 1024

    /// The rows of a request: the size its inputs have in common in dimension 0.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) with TensorFlow Serving's messages.
    static func rowCount(of inputs: [NamedTensor]) throws -> Int {
        guard let first = inputs.first else {
            throw ServingError.invalidArgument("Batching Run() must have at least one input tensor")
        }
        guard let rows = first.tensor.shape.dimensions.first,
            inputs.allSatisfy({ $0.tensor.shape.rank > 0 })
        else {
            throw ServingError.invalidArgument(
                "Batching Run() input tensors must have at least one dimension")
        }
        guard inputs.allSatisfy({ $0.tensor.shape.dimensions.first == rows }) else {
            throw ServingError.invalidArgument(
                "Batching Run() input tensors must have equal 0th-dimension size")
        }
        return rows
    }

    /// Merges the inputs of several tasks.
    ///
    /// - Parameters:
    ///   - tasks: each task's inputs, in the order of the signature's.
    ///   - rows: fills the batch up to so many rows, with copies of the last task's first row.
    ///   - padsVariableLength: makes inputs of the same name equally long, with copies of each
    ///     one's first element.
    /// - Returns: the inputs of the run, in the same order.
    /// - Throws: `ServingError` when the tasks cannot share a batch.
    static func merge(
        _ tasks: [[NamedTensor]], fillingUpTo rows: Int, padsVariableLength: Bool
    ) throws -> [NamedTensor] {
        guard let first = tasks.first else { return [] }
        let isConforming = tasks.allSatisfy { task in
            task.count == first.count && zip(task, first).allSatisfy { $0.name == $1.name }
        }
        guard isConforming else {
            throw ServingError(.internal, "One or more tasks does not conform to batch signature")
        }
        let columns = first.indices.map { index in tasks.map { $0[index].tensor } }
        let shapes = try zip(first, columns).map { input, tensors in
            try commonShape(of: tensors, name: input.name, padsVariableLength: padsVariableLength)
        }
        try limitPadding(columns, rows: rows, rowShapes: shapes)
        return try first.indices.map { index in
            let tensors = try columns[index].map { tensor in
                if tensor.shape.dimensions.dropFirst() == shapes[index][...] { return tensor }
                return try tensor.padded(to: tensor.shape.dimensions.prefix(1) + shapes[index])
            }
            let merged = try Tensor.concatenated(tensors, fillingUpTo: rows)
            return NamedTensor(name: first[index].name, tensor: merged)
        }
    }

    /// The dimensions behind the first that all tensors are brought to.
    private static func commonShape(
        of tensors: [Tensor], name: String, padsVariableLength: Bool
    ) throws -> [Int] {
        guard let first = tensors.first?.shape.dimensions.dropFirst() else { return [] }
        if tensors.allSatisfy({ $0.shape.dimensions.dropFirst() == first }) { return Array(first) }
        let shapes = tensors.map { $0.shape.dimensions.dropFirst() }
        guard padsVariableLength, shapes.allSatisfy({ $0.count == first.count }) else {
            throw ServingError(
                .failedPrecondition,
                "Tensors with name '\(name)' from different tasks have different shapes and "
                    + "padding is turned off. Set pad_variable_length_inputs to true, or ensure "
                    + "that all tensors with the same name have equal dimensions starting with "
                    + "the first dim.")
        }
        return first.indices.map { dimension in shapes.map { $0[dimension] }.max() ?? 0 }
    }

    /// Refuses padding that would take too much memory.
    private static func limitPadding(
        _ columns: [[Tensor]], rows: Int, rowShapes: [[Int]]
    ) throws {
        var total = 0
        for (tensors, rowShape) in zip(columns, rowShapes) {
            let elements = try Shape([rows] + rowShape).elementCount
            let added = elements - tensors.reduce(0) { $0 + $1.shape.elementCount }
            guard added > 0 else { continue }
            // What is added repeats elements, none of which is longer than this.
            let longest = tensors.map { $0.dtype.byteSize ?? $0.longestString }.max() ?? 0
            let (bytes, isTooLarge) = added.multipliedReportingOverflow(by: max(1, longest))
            let (sum, overflow) = total.addingReportingOverflow(bytes)
            guard !isTooLarge, !overflow, sum <= paddingBytesMaximum else {
                throw ServingError(
                    .resourceExhausted,
                    "Padding a batch to \(rows) rows of shape \(rowShape) takes more "
                        + "than \(paddingBytesMaximum) bytes. Send smaller requests, or set "
                        + "allowed_batch_sizes closer together")
            }
            total = sum
        }
    }
}

extension Tensor {
    fileprivate var longestString: Int { strings.map(\.count).max() ?? 0 }
}
