import MartletCore
import MartletProtocols
import MartletTensors
import SwiftProtobuf

extension SharedMemorySlice {
    /// The slice that the parameters of a tensor name; `nil` when they name none.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for parameters that are not complete, or of
    ///   another type.
    init?(
        _ parameters: [String: Inference_InferParameter], of place: String
    ) throws {
        guard !parameters.isEmpty else { return nil }
        var region: String?
        if let parameter = parameters[SharedMemorySlice.regionParameter] {
            guard case .stringParam(let name)? = parameter.parameterChoice else {
                throw ServingError.invalidArgument(
                    "'\(SharedMemorySlice.regionParameter)' of \(place) must be a string_param")
            }
            region = name
        }
        try self.init(
            region: region,
            byteCount: SharedMemorySlice.bytes(SharedMemorySlice.sizeParameter, parameters, place),
            offset: SharedMemorySlice.bytes(SharedMemorySlice.offsetParameter, parameters, place),
            of: place)
    }

    private static func bytes(
        _ name: String, _ parameters: [String: Inference_InferParameter], _ place: String
    ) throws -> Int? {
        guard let parameter = parameters[name] else { return nil }
        var count: Int?
        switch parameter.parameterChoice {
        case .int64Param(let number): count = Int(exactly: number)
        case .uint64Param(let number): count = Int(exactly: number)
        default: break
        }
        guard let count, count >= 0 else {
            throw ServingError.invalidArgument(
                "'\(name)' of \(place) must be an int64_param, 0 or more")
        }
        return count
    }

    /// The parameters of an output of which so many bytes were written to this slice.
    func parameters(byteCount: Int) -> [String: Inference_InferParameter] {
        var parameters: [String: Inference_InferParameter] = [
            SharedMemorySlice.regionParameter: .with { $0.stringParam = region },
            SharedMemorySlice.sizeParameter: .with { $0.int64Param = Int64(byteCount) },
        ]
        if offset > 0 {
            parameters[SharedMemorySlice.offsetParameter] = .with {
                $0.int64Param = Int64(offset)
            }
        }
        return parameters
    }
}
