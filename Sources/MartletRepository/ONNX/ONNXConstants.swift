internal import Foundation
import MartletCore
import MartletProtocols

/// Checks the constants of an ONNX model: their shapes, and the files that hold their elements.
struct ONNXConstants {
    /// Most operations, those of inner graphs included.
    static let maximumNodes = 1_000_000

    /// The `data_location` of elements in another file.
    private static let externalLocation: Int32 = 1

    let folder: String

    /// Looks at every constant.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the first that is not allowed.
    func check(_ model: Onnx_ModelProto) throws {
        var graphs = [model.graph]
        var nodes = model.functions.flatMap(\.node)
        var count = nodes.count
        while let graph = graphs.popLast() {
            nodes += graph.node
            count += graph.node.count
            guard count <= ONNXConstants.maximumNodes else {
                throw ServingError.invalidArgument(
                    "\(folder) has more than \(ONNXConstants.maximumNodes) operations")
            }
            for tensor in graph.initializer { try check(tensor) }
            for tensor in graph.sparseInitializer { try check(tensor) }
            for attribute in nodes.flatMap(\.attribute) {
                try check(attribute)
                graphs += (attribute.hasG ? [attribute.g] : []) + attribute.graphs
            }
            nodes = []
        }
    }

    private func check(_ attribute: Onnx_AttributeProto) throws {
        for tensor in (attribute.hasT ? [attribute.t] : []) + attribute.tensors {
            try check(tensor)
        }
        let sparse = attribute.hasSparseTensor ? [attribute.sparseTensor] : []
        for tensor in sparse + attribute.sparseTensors { try check(tensor) }
    }

    private func check(_ tensor: Onnx_SparseTensorProto) throws {
        try checkShape(tensor.dims)
        try check(tensor.values)
        try check(tensor.indices)
    }

    private func check(_ tensor: Onnx_TensorProto) throws {
        try checkShape(tensor.dims)
        guard tensor.dataLocation == ONNXConstants.externalLocation || !tensor.externalData.isEmpty
        else { return }
        try checkFile(tensor)
    }

    private func checkShape(_ dimensions: [Int64]) throws {
        var count = ElementCount()
        count.maximum = SavedModelOutline.maximumElements
        for dimension in dimensions {
            guard dimension >= 0 else {
                throw ServingError.invalidArgument("A constant has a dimension of \(dimension)")
            }
            try count.multiply(by: dimension)
        }
    }

    /// Checks that a constant's elements are in the folder, and all there.
    private func checkFile(_ tensor: Onnx_TensorProto) throws {
        var entries: [String: String] = [:]
        for entry in tensor.externalData { entries[entry.key] = entry.value }
        let location = entries["location"] ?? ""
        let parts = location.split(separator: "/", omittingEmptySubsequences: false)
        guard !location.isEmpty, !location.utf8.contains(0), !location.hasPrefix("/"),
            !location.contains("\\"), !parts.contains(".."),
            let size = FileTree.size(of: "\(folder)/\(location)")
        else {
            throw ServingError.invalidArgument(
                "Constant '\(tensor.name)' is in the file "
                    + "'\(location.replacing("\0", with: "\\0"))', which is not in the model's "
                    + "folder")
        }
        let offset = try number(entries["offset"], of: tensor)
        let length = try number(entries["length"], of: tensor)
        guard offset <= size, length <= size - offset else {
            throw ServingError.invalidArgument(
                "Constant '\(tensor.name)' is \(length) bytes at \(offset) of '\(location)', "
                    + "which has \(size): is its copy complete?")
        }
    }

    private func number(_ text: String?, of tensor: Onnx_TensorProto) throws -> Int {
        guard let text else { return 0 }
        guard let number = Int(text), number >= 0 else {
            throw ServingError.invalidArgument(
                "Constant '\(tensor.name)' is at '\(text)' of its file, which is no number")
        }
        return number
    }
}
