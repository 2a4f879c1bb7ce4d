import MartletCore
import MartletTensors

/// Runs the tasks of a batch in the engine and gives each its part of what comes back.
///
/// Where the engine refuses a batch for what is in it, the tasks are tried again in ever smaller
/// groups, so that a bad one fails alone. A batch of n tasks takes at most 2n - 1 runs, and about
/// 2 log2 n when one of them is bad.
struct BatchRun: Sendable {
    typealias Engine =
        @Sendable (_ inputs: [NamedTensor], _ outputs: [TensorSpec]) throws -> [NamedTensor]
    typealias Slice = BatchSlice<PendingTask>

    let engine: Engine
    let parameters: BatchingParameters
    let report: @Sendable (BatchMeasurement) -> Void

    /// Runs a batch on the calling thread; every task has its outputs or its error afterwards.
    ///
    /// - Returns: the rows that the engine saw, if it was one run that succeeded.
    @discardableResult
    func run(_ slices: [Slice]) -> Int? {
        let now = ContinuousClock.now
        for slice in slices where slice.payload.deadline.hasPassed(now: now) {
            slice.payload.end(.failure(BatchingErrors.expired))
        }
        let open = slices.filter { !$0.payload.isEnded }
        guard !open.isEmpty else { return nil }
        do {
            return try runTogether(open)
        } catch {
            guard open.count > 1, error.mayBeOfOneTask else {
                for slice in open { slice.payload.end(.failure(error.reason)) }
                return nil
            }
            for group in Self.apart(open, after: error) { run(group) }
            return nil
        }
    }

    // MARK: -

    private func runTogether(_ slices: [Slice]) throws(Failure) -> Int {
        let sizes = slices.map(\.rows.count)
        let rows = sizes.reduce(0, +)
        let paddedRows = parameters.paddedSize(of: rows)
        let wanted = BatchOutputs.union(slices.map(\.payload.outputs))
        let inputs = try failing(Failure.merging) {
            try BatchInputs.merge(
                slices.map { try $0.inputs() }, fillingUpTo: paddedRows,
                padsVariableLength: parameters.padVariableLengthInputs)
        }
        func measured(_ succeeded: Bool) {
            report(
                BatchMeasurement(
                    tasks: slices.count, rows: rows, paddingRows: paddedRows - rows,
                    succeeded: succeeded))
        }
        let outputs: [NamedTensor]
        do {
            outputs = try engine(inputs, wanted)
        } catch {
            measured(false)
            throw .running(error)
        }
        measured(true)
        let parts = try failing(Failure.splitting) {
            try BatchOutputs.split(outputs, specs: wanted, sizes: sizes, rows: paddedRows)
        }
        for (slice, part) in zip(slices, parts) {
            slice.payload.deliver(slice.payload.select(part), of: slice.rows)
        }
        return paddedRows
    }

    private func failing<Value>(
        _ failure: (any Error) -> Failure, _ body: () throws -> Value
    ) throws(Failure) -> Value {
        do { return try body() } catch { throw failure(error) }
    }

    /// Smaller groups: tasks of the same shapes, if it is shapes that keep them apart; or halves.
    private static func apart(_ slices: [Slice], after failure: Failure) -> [[Slice]] {
        if case .merging = failure {
            let groups = grouped(slices)
            if groups.count > 1 { return groups }
        }
        let middle = slices.count / 2
        return [Array(slices[..<middle]), Array(slices[middle...])]
    }

    private static func grouped(_ slices: [Slice]) -> [[Slice]] {
        var indices: [[ArraySlice<Int>]: Int] = [:]
        var groups: [[Slice]] = []
        for slice in slices {
            let shapes = slice.payload.inputs.map { $0.tensor.shape.dimensions.dropFirst() }
            if let index = indices[shapes] {
                groups[index].append(slice)
            } else {
                indices[shapes] = groups.count
                groups.append([slice])
            }
        }
        return groups
    }
}

/// Where a batch failed, and why.
private enum Failure: Error {
    case merging(any Error)
    case running(any Error)
    case splitting(any Error)

    var reason: ServingError {
        switch self {
        case .merging(let error), .running(let error), .splitting(let error):
            error as? ServingError
                ?? ServingError(.internal, "The engine failed: \(error)", cause: error)
        }
    }

    /// Whether other tasks may succeed without the one that caused it.
    ///
    /// What a broken engine or a model that is not made for batches answers to all is not asked for
    /// again.
    var mayBeOfOneTask: Bool {
        switch self {
        case .merging: true
        case .splitting: false
        case .running:
            switch reason.code {
            case .invalidArgument, .outOfRange, .failedPrecondition, .notFound, .dataLoss: true
            default: false
            }
        }
    }
}

extension BatchSlice<PendingTask> {
    /// The task's inputs, of these rows only.
    fileprivate func inputs() throws -> [NamedTensor] {
        guard rows.count < payload.rows else { return payload.inputs }
        return try payload.inputs.map {
            NamedTensor(name: $0.name, tensor: try $0.tensor.rows(rows))
        }
    }
}

extension PendingTask {
    /// Those of a batch's outputs that this task wants, in its order.
    fileprivate func select(_ tensors: [NamedTensor]) -> [NamedTensor] {
        if tensors.map(\.name) == outputs.map(\.name) { return tensors }
        return outputs.compactMap { spec in tensors.first { $0.name == spec.name } }
    }
}
