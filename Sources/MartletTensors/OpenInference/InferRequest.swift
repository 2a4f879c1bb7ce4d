public import MartletCore

/// An inference request of the Open Inference Protocol, whichever way it came.
public struct InferRequest: Sendable, Equatable {
    /// An output that is wanted.
    public struct Output: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Whether it is wanted in binary form.
        public let isBinary: Bool
        /// Where in shared memory it is wanted; `nil` for in the answer.
        public let sharedMemory: SharedMemorySlice?

        /// Creates a wish.
        public init(name: String, isBinary: Bool, sharedMemory: SharedMemorySlice? = nil) {
            self.name = name
            self.isBinary = isBinary
            self.sharedMemory = sharedMemory
        }
    }

    /// Comes back in the answer.
    public var id: String?

    /// The signature named by the parameter `signature_name`.
    public var signatureName: String?

    /// The tensors given.
    public var inputs: [NamedTensor]

    /// The outputs wanted; empty for all of them.
    public var outputs: [Output]

    /// Whether outputs are wanted in binary form where the request does not name them.
    public var prefersBinary: Bool

    /// Creates a request.
    public init(
        id: String? = nil, signatureName: String? = nil, inputs: [NamedTensor],
        outputs: [Output] = [], prefersBinary: Bool = false
    ) {
        self.id = id
        self.signatureName = signatureName
        self.inputs = inputs
        self.outputs = outputs
        self.prefersBinary = prefersBinary
    }

    /// The parameter that selects a signature.
    public static let signatureParameter = "signature_name"

    /// Refuses a parameter that asks for something that is not served, and would go wrong unseen.
    ///
    /// - Throws: `ServingError` (`UNIMPLEMENTED`).
    public static func check(parameter: String, of tensor: String) throws {
        switch parameter {
        case "classification":
            throw ServingError(
                .unimplemented,
                "Output '\(tensor)': the classification extension is not supported; ask for the "
                    + "tensor and sort it")
        default: break
        }
    }

    /// The element type and shape of an input, checked.
    ///
    /// - Parameters:
    ///   - name: the input, for messages.
    ///   - datatype: the type's name.
    ///   - dimensions: as they came.
    ///   - limits: bounds the rank.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    /// - Returns: both.
    public static func layout(
        of name: String, datatype: String, dimensions: [Int], limits: Limits
    ) throws -> (DataType, Shape) {
        guard let dtype = DataType(openInferenceName: datatype) else {
            throw ServingError.invalidArgument(
                "inference input '\(name)' has the unknown datatype '\(datatype)'")
        }
        return try locating(name) {
            (dtype, try Shape(dimensions, maximumRank: limits.tensorRank))
        }
    }

    /// Names the input in errors about it.
    public static func locating<Result>(
        _ name: String, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch let error as ServingError {
            throw ServingError(
                error.code, "inference input '\(name)': \(error.message)", cause: error.cause)
        }
    }
}
