internal import CLlama
import MartletCore

// Ranges of positions are from the first to before the second; `nil` leaves an end open.
extension LlamaContext {
    /// Makes a sequence share the cells of another, at no cost in unified memory.
    ///
    /// Without ``LlamaContextLimits/isUnified`` all of the source is copied, in place of what the
    /// target had, whatever the range: ``removeCells(of:from:to:)`` takes away what is too much.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for sequences that the context has not, or a
    ///   target that has cells in the range.
    public func shareCells(
        of source: Int32, with target: Int32, from first: Int32? = nil, to end: Int32? = nil
    ) throws {
        try model.library.check("share cells of sequence \(source) with \(target)") {
            model.library.api.sequence_copy(
                pointer, source, target, first ?? -1, end ?? -1, $0)
        }
    }

    /// Takes cells from a sequence; those that no other shares are free again.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a sequence that the context has not, or a
    ///   model that cannot give up a part of one.
    public func removeCells(
        of sequence: Int32, from first: Int32? = nil, to end: Int32? = nil
    ) throws {
        try model.library.check("remove cells of sequence \(sequence)") {
            model.library.api.sequence_remove(pointer, sequence, first ?? -1, end ?? -1, $0)
        }
    }

    /// Frees all cells.
    public func removeAllCells() {
        model.library.api.clear(pointer)
    }

    /// The first position that a sequence holds; `nil` if it holds none.
    public func firstPosition(of sequence: Int32) -> Int32? {
        let position = model.library.api.sequence_first(pointer, sequence)
        return position < 0 ? nil : position
    }

    /// The last position that a sequence holds; `nil` if it holds none.
    public func lastPosition(of sequence: Int32) -> Int32? {
        let position = model.library.api.sequence_last(pointer, sequence)
        return position < 0 ? nil : position
    }

    /// A copy of all that the context knows of a sequence.
    ///
    /// - Throws: `ServingError` (`INTERNAL`) if it cannot be saved.
    public func state(of sequence: Int32) throws -> [UInt8] {
        let size = model.library.api.state_size(pointer, sequence)
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            let written = model.library.api.state_save(
                pointer, sequence, buffer.baseAddress, size)
            count = min(written, size)
        }
        guard size > 0, !bytes.isEmpty else {
            throw ServingError(.internal, "llama.cpp could not save sequence \(sequence)")
        }
        return bytes
    }

    /// Puts a saved state in place of what a sequence holds.
    ///
    /// It has no output: its last token must be removed and decoded again.
    ///
    /// - Parameters:
    ///   - sequence: which one; empty after a failure.
    ///   - state: from ``state(of:)`` of a context of the same model and layout, never from outside.
    /// - Throws: `ServingError` (`INTERNAL`) if there is no room.
    public func restore(_ sequence: Int32, from state: [UInt8]) throws {
        try model.library.check("restore sequence \(sequence)") {
            model.library.api.state_restore(pointer, sequence, state, state.count, $0)
        }
    }
}
