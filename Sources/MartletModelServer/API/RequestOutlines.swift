import MartletProtocols
internal import SwiftProtobuf

/// A request whose parts may be many.
protocol OutlinedRequest: Message {
    /// Its parts, by the numbers in its definition.
    static var outline: MessageOutline { get }
}

extension Tensorflow_Serving_PredictRequest: OutlinedRequest {
    static let outline = MessageOutline([1: .leaf, 2: .entry(of: .tensor), 7: .leaf])
}

extension Tensorflow_Serving_ClassificationRequest: OutlinedRequest {
    static let outline = MessageOutline([1: .leaf, 2: .input])
}

extension Tensorflow_Serving_RegressionRequest: OutlinedRequest {
    static let outline = MessageOutline([1: .leaf, 2: .input])
}

extension Tensorflow_Serving_MultiInferenceRequest: OutlinedRequest {
    static let outline = MessageOutline([1: MessageOutline([1: .leaf]), 2: .input])
}

extension Inference_ModelInferRequest: OutlinedRequest {
    static let outline = MessageOutline([
        4: .entry(of: .leaf),
        5: MessageOutline([4: .entry(of: .leaf), 5: .leaf]),
        6: MessageOutline([2: .entry(of: .leaf)]),
    ])
}

extension MessageOutline {
    /// An entry of a map, whose key is no message.
    fileprivate static func entry(of value: MessageOutline) -> MessageOutline {
        MessageOutline([2: value])
    }

    /// A tensor: its shape has dimensions.
    fileprivate static let tensor = MessageOutline([2: MessageOutline([2: .leaf])])

    /// An example: a map of features, each of a list.
    private static let example = MessageOutline([
        1: MessageOutline([
            1: .entry(of: MessageOutline([1: .leaf, 2: .leaf, 3: .leaf]))
        ])
    ])

    /// Examples, or examples with a context.
    fileprivate static let input = MessageOutline([
        1: MessageOutline([1: .example]),
        2: MessageOutline([1: .example, 2: .example]),
    ])
}
