import Foundation
import MartletCore
import MartletProtocols
import MartletTensors
import SwiftProtobuf
import Testing

@testable import MartletRepository

@Suite("Descriptions of SavedModels")
struct SavedModelDescriptionTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    // MARK: Files to read

    private static func info(
        _ name: String, _ dtype: Tensorflow_DataType, _ sizes: [Int64]?
    ) -> Tensorflow_TensorInfo {
        .with { info in
            info.name = name
            info.dtype = dtype
            info.tensorShape.unknownRank = sizes == nil
            info.tensorShape.dim = (sizes ?? []).map { size in .with { $0.size = size } }
        }
    }

    private static let predict = Tensorflow_SignatureDef.with { signature in
        signature.methodName = "tensorflow/serving/predict"
        signature.inputs["x"] = info("serving_default_x:0", .dtFloat, [-1, 4])
        signature.inputs["flags"] = info("serving_default_flags:0", .dtBool, [])
        signature.outputs["y"] = info("StatefulPartitionedCall:0", .dtInt64, nil)
    }

    /// As TensorFlow writes it: an operation to run once, with no method.
    private static let initialiser = Tensorflow_SignatureDef.with { signature in
        signature.outputs["__saved_model_init_op"] = info("NoOp", .dtInvalid, nil)
    }

    private static func graph(
        tags: [String] = ["serve"],
        _ signatures: [String: Tensorflow_SignatureDef] = ["serving_default": predict]
    ) -> Tensorflow_MetaGraphDef {
        .with { graph in
            graph.metaInfoDef.tags = tags
            graph.metaInfoDef.tensorflowVersion = "2.20.0"
            graph.signatureDef = signatures
            graph.assetFileDef = [.with { $0.filename = "vocabulary.txt" }]
        }
    }

    private static func bytes(_ graphs: [Tensorflow_MetaGraphDef]) throws -> Data {
        let model = Tensorflow_SavedModel.with { model in
            model.savedModelSchemaVersion = 1
            model.metaGraphs = graphs
        }
        return try model.serializedData()
    }

    private func describe(
        _ content: Data, maximumBytes: Int = Int(Int32.max)
    ) throws -> SavedModelDescription {
        try folder.write(content, to: "saved_model.pb")
        return try SavedModelDescription(folder: folder.path, maximumBytes: maximumBytes)
    }

    private func describe(_ graphs: Tensorflow_MetaGraphDef...) throws -> SavedModelDescription {
        try describe(SavedModelDescriptionTests.bytes(graphs))
    }

    private func refusal(_ graphs: Tensorflow_MetaGraphDef...) -> String {
        do {
            let content = try SavedModelDescriptionTests.bytes(graphs)
            return "not refused: \(try describe(content).signatures)"
        } catch {
            return "\(error)".replacing(folder.path, with: "FOLDER")
        }
    }

    // MARK: Good ones

    @Test func goodModel_isDescribedInFull() throws {
        try folder.write("12345", to: "assets/vocabulary.txt")
        let content = try SavedModelDescriptionTests.bytes([SavedModelDescriptionTests.graph()])
        let found = try describe(content)
        #expect(found.tags == ["serve"])
        #expect(found.assets == ["vocabulary.txt"])
        #expect(found.signatureDefs == ["serving_default": SavedModelDescriptionTests.predict])
        #expect(
            found.signatures == [
                Signature(
                    name: "serving_default", methodName: "tensorflow/serving/predict",
                    inputs: [
                        TensorSpec(
                            name: "x", graphName: "serving_default_x:0", dtype: .float,
                            shape: ShapeSpec(dimensions: [-1, 4])),
                        TensorSpec(
                            name: "flags", graphName: "serving_default_flags:0", dtype: .bool,
                            shape: ShapeSpec(dimensions: [])),
                    ],
                    outputs: [
                        TensorSpec(
                            name: "y", graphName: "StatefulPartitionedCall:0", dtype: .int64,
                            shape: .unknownRank)
                    ])
            ])
    }

    @Test func fileBytes_areThoseOfTheFilesAlone() throws {
        try folder.write("12345", to: "assets/vocabulary.txt")
        let content = try SavedModelDescriptionTests.bytes([SavedModelDescriptionTests.graph()])
        #expect(try describe(content).fileBytes == content.count + 5)
    }

    @Test func severalSignatures_areSortedByName() throws {
        let predict = SavedModelDescriptionTests.predict
        let found = try describe(
            SavedModelDescriptionTests.graph(["z": predict, "a": predict, "m": predict]))
        #expect(found.signatures.map(\.name) == ["a", "m", "z"])
    }

    @Test func initialiserSignature_isLeftOut() throws {
        let found = try describe(
            SavedModelDescriptionTests.graph([
                "serving_default": SavedModelDescriptionTests.predict,
                "__saved_model_init_op": SavedModelDescriptionTests.initialiser,
            ]))
        #expect(found.signatures.map(\.name) == ["serving_default"])
    }

    @Test func signatureOfTypesNobodyCanSend_isLeftOut() throws {
        var resource = SavedModelDescriptionTests.predict
        resource.inputs["table"] = SavedModelDescriptionTests.info("t:0", .dtResource, [])
        var sparse = SavedModelDescriptionTests.predict
        sparse.inputs["s"] = .with { info in
            info.dtype = .dtFloat
            info.cooSparse.valuesTensorName = "v:0"
        }
        var future = SavedModelDescriptionTests.predict
        future.outputs["y"]?.dtype = .UNRECOGNIZED(1234)
        let found = try describe(
            SavedModelDescriptionTests.graph([
                "a": resource, "b": sparse, "c": future, "d": SavedModelDescriptionTests.predict,
            ]))
        #expect(found.signatures.map(\.name) == ["d"])
    }

    @Test func graphForServingBehindAnotherGraph_isTheOneDescribed() throws {
        let predict = SavedModelDescriptionTests.predict
        let found = try describe(
            SavedModelDescriptionTests.graph(tags: ["train"], ["t": predict]),
            SavedModelDescriptionTests.graph(tags: ["serve", "tpu"], ["u": predict]),
            SavedModelDescriptionTests.graph(["s": predict]))
        #expect(found.signatures.map(\.name) == ["s"])
    }

    /// Field 7 describes the objects of Python that the graph was made from.
    @Test func fieldsNobodyReadsHere_areSkipped() throws {
        let graph = try SavedModelDescriptionTests.graph().serializedData()
        let bulk = Data(repeating: 0xFF, count: 300)
        let withBulk = graph + Data([0x3A, 0xAC, 0x02]) + bulk
        let content = Data([0x12]) + SavedModelDescriptionTests.varint(withBulk.count) + withBulk
        #expect(try describe(content).signatures.map(\.name) == ["serving_default"])
    }

    // MARK: Bad ones

    @Test func otherTags_areRefusedWithThoseThereAre() {
        let train = SavedModelDescriptionTests.graph(tags: ["train"])
        let tpu = SavedModelDescriptionTests.graph(tags: ["serve", "tpu"])
        #expect(
            refusal(train, tpu)
                == "NOT_FOUND: Could not find meta graph def matching supplied tags: { serve }. "
                + "FOLDER/saved_model.pb has { train }, { serve tpu }")
        #expect(
            refusal()
                == "NOT_FOUND: Could not find meta graph def matching supplied tags: { serve }. "
                + "FOLDER/saved_model.pb has none")
    }

    @Test func noSignatureThatCanBeCalled_isRefused() {
        let message =
            "INVALID_ARGUMENT: FOLDER/saved_model.pb has no signature that can be called"
        #expect(refusal(SavedModelDescriptionTests.graph([:])) == message)
        let initialiser = SavedModelDescriptionTests.initialiser
        #expect(
            refusal(SavedModelDescriptionTests.graph(["__saved_model_init_op": initialiser]))
                == message)
    }

    @Test func tensorOfMoreDimensionsThanTheLimit_isRefused() {
        func graph(rank: Int) -> Tensorflow_MetaGraphDef {
            var signature = SavedModelDescriptionTests.predict
            signature.inputs["x"] = SavedModelDescriptionTests.info(
                "x:0", .dtFloat, Array(repeating: 1, count: rank))
            return SavedModelDescriptionTests.graph(["serving_default": signature])
        }
        #expect(refusal(graph(rank: 254)).hasPrefix("not refused"))
        #expect(
            refusal(graph(rank: 255))
                == "INVALID_ARGUMENT: A signature has a tensor of 255 dimensions; the limit is 254")
    }

    @Test(arguments: [Int64.min, -5, -1])
    func dimensionThatIsNegative_standsForAnySize(size: Int64) throws {
        var signature = SavedModelDescriptionTests.predict
        signature.inputs["x"] = SavedModelDescriptionTests.info("x:0", .dtFloat, [size])
        let found = try describe(SavedModelDescriptionTests.graph(["s": signature]))
        let shape = found.signatures.first?.inputs.last?.shape
        #expect(shape?.accepts(try Shape([7])) == true)
        #expect(shape?.accepts(.scalar) == false)
    }

    @Test func missingFile_isNotFoundWithItsPath() {
        let error = #expect(throws: ServingError.self) {
            try SavedModelDescription(folder: "\(folder.path)/absent")
        }
        #expect(error?.code == .notFound)
        #expect(
            error?.message
                == "\(folder.path)/absent/saved_model.pb does not exist: "
                + "this folder is no SavedModel")
    }

    @Test func folderInThePlaceOfTheFile_isRefused() throws {
        try folder.makeFolder("saved_model.pb")
        let error = #expect(throws: ServingError.self) {
            try SavedModelDescription(folder: folder.path)
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test func fileAtTheLimitAndOneByteBeyond_isReadAndRefused() throws {
        let content = try SavedModelDescriptionTests.bytes([SavedModelDescriptionTests.graph()])
        _ = try describe(content, maximumBytes: content.count)
        let error = #expect(throws: ServingError.self) {
            try describe(content, maximumBytes: content.count - 1)
        }
        #expect(
            error?.message
                == "\(folder.path)/saved_model.pb has \(content.count) bytes; "
                + "the limit is \(content.count - 1)")
    }

    @Test func fileCutOffAtAnyLength_isRefusedOrWithoutASignature() throws {
        let content = try SavedModelDescriptionTests.bytes([SavedModelDescriptionTests.graph()])
        for length in 0..<content.count {
            let error = #expect(throws: ServingError.self, "\(length) of \(content.count)") {
                try describe(content.prefix(length))
            }
            // A tag that was cut off is one that is not found.
            #expect([.invalidArgument, .notFound].contains(error?.code), "\(length)")
        }
    }

    @Test func fileWithOneByteChanged_isDescribedOrRefused() throws {
        let content = try SavedModelDescriptionTests.bytes([SavedModelDescriptionTests.graph()])
        var described = 0
        var refused = 0
        for place in content.indices {
            for bit in 0..<8 {
                var changed = content
                changed[place] ^= 1 << UInt8(bit)
                do {
                    _ = try describe(changed)
                    described += 1
                } catch let error as ServingError {
                    // A changed tag is one that is not found.
                    #expect([.invalidArgument, .notFound].contains(error.code))
                    refused += 1
                }
            }
        }
        #expect(described > 0 && refused > 0)
    }

    @Test func messagesNestedTenThousandDeep_areRefused() throws {
        // Groups inside the graph, which a reader that recurses without a limit dies of.
        let groups = Data(repeating: 0x1B, count: 10_000) + Data(repeating: 0x1C, count: 10_000)
        let content = Data([0x12]) + SavedModelDescriptionTests.varint(groups.count) + groups
        let error = #expect(throws: ServingError.self) { try describe(content) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func lengthThatOverflows_isRefused() throws {
        let huge = Data([0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x00])
        let error = #expect(throws: ServingError.self) { try describe(huge) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message == "\(folder.path)/saved_model.pb cannot be read as a SavedModel")
    }

    private static func varint(_ value: Int) -> Data {
        var bytes = Data()
        var rest = UInt64(value)
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
        return bytes
    }
}
