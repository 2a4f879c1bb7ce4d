import MartletCore

// What batching does to tensors: rows are the elements of dimension 0.
extension Tensor {
    /// Puts tensors behind each other along dimension 0.
    ///
    /// - Parameters:
    ///   - tensors: at least one; of the same type and, but for dimension 0, of the same shape.
    ///   - rows: fills the result up to so many rows with copies of the last tensor's first row;
    ///     `nil` leaves it as it is.
    /// - Returns: the tensors as one; a single one that needs no filling is not copied.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when they do not fit together or the result
    ///   is too large to address.
    public static func concatenated(
        _ tensors: [Tensor], fillingUpTo rows: Int? = nil
    ) throws -> Tensor {
        guard let first = tensors.first, let last = tensors.last else {
            throw ServingError.invalidArgument("There is no tensor to concatenate")
        }
        var total = 0
        for tensor in tensors {
            let size = try tensor.rowCount()
            try first.requireSameRows(as: tensor)
            let (sum, overflow) = total.addingReportingOverflow(size)
            guard !overflow else {
                throw ServingError.invalidArgument("The tensors have too many rows to concatenate")
            }
            total = sum
        }
        let filling = (rows ?? total) - total
        guard filling >= 0 else {
            throw ServingError.invalidArgument(
                "\(total) rows do not fit into \(rows ?? total)")
        }
        if tensors.count == 1, filling == 0 { return first }
        guard try filling == 0 || last.rowCount() > 0 else {
            throw ServingError.invalidArgument(
                "A tensor without rows has none to fill \(filling) rows with")
        }
        let shape = try Shape([total + filling] + first.shape.dimensions.dropFirst())
        return try join(tensors, filler: last, count: filling, shape: shape)
    }

    /// Takes the tensor apart along dimension 0.
    ///
    /// - Parameter sizes: rows of each part, which add up to the rows of the tensor.
    /// - Returns: a tensor for each size.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when a size is negative or they do not add up.
    public func split(sizes: [Int]) throws -> [Tensor] {
        let available = try rowCount()
        var total = 0
        for size in sizes {
            let (sum, overflow) = total.addingReportingOverflow(size)
            guard size >= 0, !overflow else {
                throw ServingError.invalidArgument("\(sizes) are no sizes to split a tensor into")
            }
            total = sum
        }
        guard total == available else {
            throw ServingError.invalidArgument(
                "Parts of \(total) rows do not make up a tensor of \(available) rows")
        }
        var start = 0
        // Most parts are of one size, and share its shape.
        var shape = try rowsShape(of: sizes.first ?? 0)
        return try sizes.map { size in
            defer { start += size }
            if size == available { return self }
            if size != shape.dimensions.first { shape = try rowsShape(of: size) }
            return try rows(start..<(start + size), of: available, shape: shape)
        }
    }

    /// Some of the rows: elements of dimension 0.
    ///
    /// - Parameter range: which ones; all of them are not copied.
    /// - Returns: a tensor of these rows.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when the tensor is a scalar or has no such
    ///   rows.
    public func rows(_ range: Range<Int>) throws -> Tensor {
        let available = try rowCount()
        guard range.lowerBound >= 0, range.upperBound <= available else {
            throw ServingError.invalidArgument(
                "Rows \(range) are not in a tensor of \(available) rows")
        }
        if range.count == available { return self }
        return try rows(range, of: available, shape: rowsShape(of: range.count))
    }

    /// The shape of so many rows.
    private func rowsShape(of count: Int) throws -> Shape {
        try Shape([count] + shape.dimensions.dropFirst())
    }

    /// Rows that are there, as a tensor of their shape.
    private func rows(_ range: Range<Int>, of available: Int, shape: Shape) throws -> Tensor {
        // The range lies in the tensor, so the products fit as the tensor's own do.
        let rowLength = available == 0 ? 0 : self.shape.elementCount / available
        let elements = (range.lowerBound * rowLength)..<(range.upperBound * rowLength)
        switch storage {
        case .fixed(let bytes):
            let size = dtype.byteSize ?? 0
            let part = bytes[(elements.lowerBound * size)..<(elements.upperBound * size)]
            return try Tensor(dtype: dtype, shape: shape, bytes: Array(part))
        case .strings(let strings):
            return try Tensor(shape: shape, strings: Array(strings[elements]))
        }
    }

    /// The size of dimension 0.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a scalar.
    func rowCount() throws -> Int {
        guard let rows = shape.dimensions.first else {
            throw ServingError.invalidArgument("A scalar has no rows")
        }
        return rows
    }

    private func requireSameRows(as other: Tensor) throws {
        guard dtype == other.dtype else {
            throw ServingError.invalidArgument(
                "Tensors of types \(dtype.name) and \(other.dtype.name) cannot be concatenated")
        }
        guard shape.dimensions.dropFirst() == other.shape.dimensions.dropFirst() else {
            throw ServingError.invalidArgument(
                "Tensors of shapes \(shape) and \(other.shape) cannot be concatenated")
        }
    }

    private static func join(
        _ tensors: [Tensor], filler: Tensor, count: Int, shape: Shape
    ) throws -> Tensor {
        let row = count > 0 ? try filler.rows(0..<1) : filler
        if filler.dtype == .string {
            var strings: [[UInt8]] = []
            strings.reserveCapacity(shape.elementCount)
            for tensor in tensors { strings.append(contentsOf: tensor.strings) }
            for _ in 0..<count { strings.append(contentsOf: row.strings) }
            return try Tensor(shape: shape, strings: strings)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(try shape.byteCount(of: filler.dtype))
        for tensor in tensors {
            if case .fixed(let part) = tensor.storage { bytes.append(contentsOf: part) }
        }
        if count > 0, case .fixed(let part) = row.storage {
            for _ in 0..<count { bytes.append(contentsOf: part) }
        }
        return try Tensor(dtype: filler.dtype, shape: shape, bytes: bytes)
    }
}
