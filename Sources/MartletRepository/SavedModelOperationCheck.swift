import MartletCore
import MartletProtocols

/// Decides whether a graph may run on this machine.
///
/// Operations that reach nothing outside of the session are allowed. TensorFlow's savers and its
/// initialisers of tables do reach files, and every model has them: they are allowed where the
/// loader alone runs them, on the files that the loader names. All others need the operator's
/// leave.
struct SavedModelOperationCheck {
    private static let writers: Set = ["Save", "SaveSlices", "SaveV2", "MergeV2Checkpoints"]
    private static let restorers: Set = ["Restore", "RestoreSlice", "RestoreV2"]
    private static let tableReaders: Set = [
        "InitializeTableFromTextFile", "InitializeTableFromTextFileV2",
    ]
    /// The name of the signature that is run once at the start.
    private static let startName = "__saved_model_init_op"
    /// Collections of operations that are run once at the start.
    private static let startCollections = ["saved_model_main_op", "legacy_init_op"]

    private let graph: SavedModelGraph
    private let origin: SavedModelFileOrigin
    private let allowed: Set<String>
    /// What runs at requests, at the start, and to read variables.
    private let requests: SavedModelGraph.Reach
    private let start: SavedModelGraph.Reach
    private let restoring: SavedModelGraph.Reach
    private let saverFile: Set<String>
    private let assetFiles: Set<String>

    init(_ definition: Tensorflow_MetaGraphDef, allowed: Set<String>) throws {
        typealias Check = SavedModelOperationCheck
        graph = try SavedModelGraph(definition.graphDef)
        origin = SavedModelFileOrigin(graph: graph)
        self.allowed = allowed
        let signatures = definition.signatureDef
        requests = graph.reach(
            from: signatures.filter { $0.key != Check.startName }.values
                .flatMap { $0.outputs.values.flatMap(\.graphNames) })
        let collections = Check.startCollections.flatMap {
            definition.collectionDef[$0]?.nodeList.value ?? []
        }
        start = graph.reach(
            from: (signatures[Check.startName]?.outputs.values.flatMap(\.graphNames) ?? [])
                + collections)
        restoring = graph.reach(from: [definition.saverDef.restoreOpName])
        saverFile = [SavedModelGraph.nodeName(definition.saverDef.filenameTensorName)]
        assetFiles = Set(
            definition.assetFileDef.map { SavedModelGraph.nodeName($0.tensorInfo.name) })
    }

    /// Looks at every operation.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the first one that is not allowed.
    func check() throws {
        for place in graph.places where !allowed.contains(place.node.op) {
            if let reason = refusal(of: place) {
                throw ServingError.invalidArgument(
                    "Operation '\(place.node.op)' (node '\(place.node.name)') \(reason). If you "
                        + "trust whoever made this model, allow it with --allow-op "
                        + place.node.op)
            }
        }
    }

    /// Beginnings of the names of operations whose runs leave something behind, or are never alike.
    private static let effects = [
        "Assign", "Barrier", "Map", "MutableDenseHashTable", "MutableHashTable", "Multinomial",
        "NonDeterministic", "OrderedMap", "Print", "Queue", "Random", "ResourceAccumulator",
        "ResourceApply", "ResourceScatter", "ResourceSparseApply", "ResourceStridedSliceAssign",
        "Rng", "Scatter", "Stack", "Stage", "StatefulRandom", "StatefulStandardNormal",
        "StatefulTruncatedNormal", "StatefulUniform", "Timestamp", "TruncatedNormal", "Unstage",
    ]
    /// Operations that begin like those and have no effect.
    private static let withoutEffect: Set = ["ScatterNd", "ScatterNdNonAliasingAdd"]
    /// Parts of names that say the same.
    private static let effectParts = [
        "Enqueue", "Dequeue", "TableInsert", "TableImport", "TableRemove",
    ]

    /// An operation that requests run and whose runs leave something behind, or are never alike;
    /// `nil` without any.
    var effect: String? {
        graph.places.first { place in
            let operation = place.node.op
            guard requests.contains(place), !graph.hasFunction(operation),
                !Self.withoutEffect.contains(operation)
            else { return false }
            return !SavedModelOperations.harmless.contains(operation)
                || Self.effects.contains { operation.hasPrefix($0) }
                || Self.effectParts.contains { operation.contains($0) }
        }?.node.op
    }

    private func refusal(of place: SavedModelGraph.Place) -> String? {
        let operation = place.node.op
        if operation == "PrintV2" { return printRefusal(place.node) }
        if SavedModelOperations.harmless.contains(operation) { return nil }
        if Self.writers.contains(operation) {
            let runs = [requests, start, restoring].contains { $0.contains(place) }
            return runs ? "writes files when the model is loaded or called" : nil
        }
        if Self.restorers.contains(operation) { return restorerRefusal(place) }
        if Self.tableReaders.contains(operation) { return tableRefusal(place) }
        if SavedModelOperations.refused.contains(operation) {
            return "can reach files, other processes or code outside of the model"
        }
        return graph.hasFunction(operation) ? nil : "is not known to this build of Martlet"
    }

    private func printRefusal(_ node: Tensorflow_NodeDef) -> String? {
        guard case .s(let stream) = node.attr["output_stream"]?.value,
            String(decoding: stream, as: UTF8.self).lowercased().hasPrefix("file:")
        else { return nil }
        return "prints to a file"
    }

    private func restorerRefusal(_ place: SavedModelGraph.Place) -> String? {
        if requests.contains(place) || start.contains(place) {
            return "reads files elsewhere than in the step that restores variables"
        }
        guard restoring.contains(place) else { return nil }
        return origin.isAmong(saverFile, input: 0, of: place)
            ? nil : "reads a file that is not the model's own checkpoint"
    }

    private func tableRefusal(_ place: SavedModelGraph.Place) -> String? {
        if requests.contains(place) {
            return "reads files elsewhere than in the step that initialises the model"
        }
        guard start.contains(place) || restoring.contains(place) else { return nil }
        return origin.isAmong(assetFiles, input: 1, of: place)
            ? nil : "reads a file that is not one of the model's assets"
    }
}

extension Tensorflow_TensorInfo {
    /// The tensors of the graph that stand for it.
    fileprivate var graphNames: [String] {
        switch encoding {
        case .name(let name): [name]
        case .cooSparse(let sparse):
            [
                sparse.valuesTensorName, sparse.indicesTensorName, sparse.denseShapeTensorName,
            ]
        case nil: []
        }
    }
}
