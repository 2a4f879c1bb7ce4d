import MartletCore
import MartletTestKit
import Synchronization
import Testing

@testable import MartletTensors

@Suite("Open Inference tensors")
struct OpenInferenceCodecTests {
    private static let types = DataType.allCases.filter { $0.openInferenceName != nil }

    @Test func typeNames_areThoseOfTheProtocolAndReadBack() {
        #expect(
            OpenInferenceCodecTests.types.compactMap(\.openInferenceName).sorted() == [
                "BF16", "BOOL", "BYTES", "FP16", "FP32", "FP64", "INT16", "INT32", "INT64",
                "INT8", "UINT16", "UINT32", "UINT64", "UINT8",
            ])
        for type in OpenInferenceCodecTests.types {
            #expect(type.openInferenceName.flatMap(DataType.init(openInferenceName:)) == type)
        }
        #expect(DataType(openInferenceName: "fp32") == nil)
    }

    // MARK: Whole requests and answers

    @Test(arguments: [UInt64(1), 2, 3])
    func randomTensors_inBinaryForm_areWhatTheyWere(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let tensors = try (0..<Int.random(in: 1...3, using: &generator)).map { index in
                NamedTensor(
                    name: "t\(index)", tensor: try RandomTensor.next(&generator))
            }
            let response = try InferResponseJSON(
                model: "m", version: 7,
                request: InferRequest(id: "a\"b", inputs: [], prefersBinary: true),
                outputs: tensors)
            let decoded = try reread(response)
            #expect(decoded.inputs == tensors, "seed \(seed)")
            #expect(decoded.id == "a\"b")
        }
    }

    @Test(arguments: [UInt64(4), 5, 6])
    func randomTensors_inJSON_areWhatTheyWere(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let tensor = try RandomTensor.next(&generator, isText: true)
            let response = try InferResponseJSON(
                model: "m", version: 7, request: InferRequest(inputs: []),
                outputs: [NamedTensor(name: "t", tensor: tensor)])
            #expect(response.headerLength == nil)
            #expect(try reread(response).inputs.map(\.tensor) == [tensor], "seed \(seed)")
        }
    }

    @Test func answer_mixesBinaryAndJSONAsWanted() throws {
        let shape = try Shape([2])
        let numbers = try Tensor(dtype: .float, shape: shape, values: [Float(1), .nan])
        let words = try Tensor(shape: shape, strings: [Array("ab".utf8), []])
        let request = InferRequest(
            inputs: [],
            outputs: [.init(name: "n", isBinary: false), .init(name: "w", isBinary: true)])
        let response = try InferResponseJSON(
            model: "m", version: 3, request: request,
            outputs: [
                NamedTensor(name: "n", tensor: numbers), NamedTensor(name: "w", tensor: words),
            ])
        let length = try #require(response.headerLength)
        #expect(
            String(decoding: response.body[..<length], as: UTF8.self)
                == #"{"model_name":"m","model_version":"3","outputs":["#
                + #"{"name":"n","datatype":"FP32","shape":[2],"data":[1.0,NaN]},"#
                + #"{"name":"w","datatype":"BYTES","shape":[2],"#
                + #""parameters":{"binary_data_size":10}}]}"#)
        #expect(Array(response.body[length...]) == [2, 0, 0, 0, 97, 98, 0, 0, 0, 0])
    }

    @Test func stringsThatAreNotText_areRefusedInJSON() throws {
        let tensor = try Tensor(shape: Shape([1]), strings: [[0xFF]])
        #expect {
            try InferResponseJSON(
                model: "m", version: 1, request: InferRequest(inputs: []),
                outputs: [NamedTensor(name: "o", tensor: tensor)])
        } throws: {
            ($0 as? ServingError)?.message.contains("ask for it in binary form") == true
        }
    }

    /// What an answer says is read as if it were a request: the forms of tensors are the same.
    private func reread(_ response: InferResponseJSON) throws -> InferRequest {
        let text = String(
            decoding: response.body[..<(response.headerLength ?? response.body.count)],
            as: UTF8.self)
        let header = Array(text.replacing("\"outputs\":", with: "\"inputs\":").utf8)
        let binary = response.body.dropFirst(response.headerLength ?? response.body.count)
        return try InferRequestJSON.decode(
            header + binary, headerLength: response.headerLength.map { _ in header.count },
            limits: Limits())
    }

    // MARK: Requests

    private func decode(_ text: String, binary: [UInt8]? = nil) throws -> InferRequest {
        try InferRequestJSON.decode(
            Array(text.utf8) + (binary ?? []), headerLength: binary.map { _ in text.utf8.count },
            limits: Limits())
    }

    @Test(arguments: ["[1, 2, 3, 4]", "[[1, 2], [3, 4]]", "[[[1], [2]], [[3], [4]]]"])
    func data_mayBeFlatOrNested(data: String) throws {
        let request = try decode(
            #"{"inputs": [{"name": "x", "datatype": "INT32", "shape": [2, 2], "data": \#(data)}]}"#)
        #expect(request.inputs.first?.tensor.values(as: Int32.self) == [1, 2, 3, 4])
    }

    @Test func wholeNumbers_areRoundedToFloats() throws {
        let request = try decode(
            #"{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [16777217]}]}"#)
        #expect(request.inputs.first?.tensor.values(as: Float.self) == [16_777_216])
    }

    @Test func parametersThatAreUnknown_areIgnored() throws {
        let request = try decode(
            #"""
            {"id": "7", "parameters": {"priority": 1, "signature_name": "s",
             "binary_data_output": true},
             "inputs": [{"name": "x", "datatype": "BOOL", "shape": [], "data": [true],
                         "parameters": {"color": [1]}}],
             "outputs": [{"name": "y", "parameters": {"binary_data": false}}, {"name": "z"}]}
            """#)
        #expect(request.id == "7")
        #expect(request.signatureName == "s")
        #expect(
            request.outputs == [
                .init(name: "y", isBinary: false), .init(name: "z", isBinary: true),
            ])
    }

    /// An input `x` of this type and shape with this `data` or these `parameters`.
    private static func input(_ type: String, _ shape: String, _ rest: String) -> String {
        #"{"inputs": [{"name": "x", "datatype": "\#(type)", "shape": \#(shape), \#(rest)}]}"#
    }

    private static let hostile: [(String, [UInt8]?, String)] = [
        ("[]", nil, "must be a JSON object"),
        ("{}", nil, "'inputs'"),
        (#"{"inputs": 5}"#, nil, "'inputs'"),
        (#"{"inputs": [5]}"#, nil, "'name'"),
        (#"{"inputs": [{"name": "x"}]}"#, nil, "'datatype'"),
        (input("FP33", "[1]", #""data": [1]"#), nil, "unknown datatype 'FP33'"),
        (input("FP32", "[1, -1]", #""data": [1]"#), nil, "negative dimension"),
        (input("FP32", "[1.5]", #""data": [1]"#), nil, "1.5 is not a whole number"),
        (input("FP32", "[9223372036854775807, 9]", #""data": [1]"#), nil, "more elements"),
        (input("FP32", "[18446744073709551616]", #""data": [1]"#), nil, "not a whole number"),
        (input("FP32", "[1099511627776]", #""data": [1]"#), nil, "has 1 elements"),
        (input("FP32", "[2]", #""data": [1]"#), nil, "has 1 elements"),
        (input("FP32", "[2]", #""data": [1, 2, 3]"#), nil, "more than the 2 elements"),
        (input("FP32", "[2]", #""data": 1"#), nil, "must be an array"),
        (input("FP32", "[1]", #""data": ["1"]"#), nil, "not of expected type"),
        (input("INT8", "[1]", #""data": [128]"#), nil, "not of expected type"),
        (input("FP32", "[1]", #""data": [1e39]"#), nil, "loss of precision"),
        (input("FP32", "[1]", #""datas": [1]"#), nil, "needs 'data'"),
        (input("FP32", "[1]", #""parameters": []"#), nil, "must be an object"),
        (
            input("FP32", "[1]", #""parameters": {"binary_data_size": 4}"#), nil,
            "0 bytes are left"
        ),
        (
            input("FP32", "[1]", #""parameters": {"binary_data_size": 8}"#), [0, 0, 0, 0],
            "4 bytes are left"
        ),
        (input("FP32", "[1]", #""parameters": {"binary_data_size": -4}"#), [0], "whole number"),
        (
            input("FP32", "[1]", #""parameters": {"binary_data_size": 4}"#), [0, 0, 0, 0, 0],
            "1 bytes belong to no input"
        ),
        (
            input("FP32", "[2]", #""parameters": {"binary_data_size": 4}"#), [0, 0, 0, 0],
            "expected 8 bytes"
        ),
        (
            input("FP64", "[1099511627776]", #""parameters": {"binary_data_size": 4}"#),
            [0, 0, 0, 0], "expected 8796093022208 bytes"
        ),
        (
            input("BYTES", "[1099511627776]", #""parameters": {"binary_data_size": 4}"#),
            [0, 0, 0, 0], "cannot hold so many"
        ),
        (
            input("BYTES", "[1]", #""parameters": {"binary_data_size": 5}"#),
            [255, 255, 255, 255, 0], "claims 4294967295 bytes"
        ),
        (
            input("BYTES", "[1]", #""parameters": {"binary_data_size": 6}"#), [1, 0, 0, 0, 1, 1],
            "unexpected 1 bytes"
        ),
        (
            input("BYTES", "[2]", #""parameters": {"binary_data_size": 8}"#),
            [1, 0, 0, 0, 1, 0, 0, 0], "incomplete length"
        ),
        (
            input("BOOL", "[1]", #""parameters": {"binary_data_size": 1}"#), [2], "0 or 1"
        ),
        (
            input("FP32", "[1]", #""data": [1], "parameters": {"binary_data_size": 1}"#), [2],
            "both 'data' and binary data"
        ),
        (
            input("FP32", "[1]", #""parameters": {"shared_memory_region": "r"}"#), nil,
            "needs 'shared_memory_byte_size'"
        ),
        (
            #"{"inputs": [], "outputs": [{"name": "o", "parameters": {"classification": 3}}]}"#,
            nil, "classification"
        ),
        (#"{"inputs": [], "outputs": [{"nome": "o"}]}"#, nil, "each output"),
        (#"{"inputs": [], "id": 5}"#, nil, "'id' of the request must be a string"),
    ]

    @Test func hostileRequests_areRefusedWithTheReason() {
        for (text, binary, reason) in OpenInferenceCodecTests.hostile {
            #expect("\(text)") {
                try decode(text, binary: binary)
            } throws: {
                ($0 as? ServingError)?.message.contains(reason) == true
            }
        }
    }

    /// Shared memory that holds what was written to it last.
    private final class Pocket: SharedMemory {
        private let held = Mutex<[UInt8]>([])

        func read(_ slice: SharedMemorySlice) throws -> [UInt8] { held.withLock { $0 } }

        func check(_ slice: SharedMemorySlice, of place: String) throws {}

        func write(_ bytes: [UInt8], to slice: SharedMemorySlice) throws {
            held.withLock { $0 = bytes }
        }
    }

    @Test func tensors_goThroughSharedMemory() throws {
        let memory = Pocket()
        let text = """
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "parameters":
            {"shared_memory_region": "r", "shared_memory_byte_size": 8}}],
            "outputs": [{"name": "y", "parameters": {"shared_memory_region": "r",
            "shared_memory_byte_size": 100, "shared_memory_offset": 4}}]}
            """
        let tensor = try Tensor(dtype: .float, shape: Shape([2]), values: [Float(1), 2])
        let request = InferRequest(
            inputs: [],
            outputs: [
                .init(
                    name: "y", isBinary: true,
                    sharedMemory: .init(region: "r", offset: 4, byteCount: 100))
            ])
        let response = try InferResponseJSON(
            model: "m", version: 1, request: request,
            outputs: [NamedTensor(name: "y", tensor: tensor)], sharedMemory: memory)
        #expect(response.headerLength == nil)
        #expect(
            String(decoding: response.body, as: UTF8.self).contains(
                #""parameters":{"shared_memory_region":"r","shared_memory_byte_size":8,"#
                    + #""shared_memory_offset":4}"#))
        let decoded = try InferRequestJSON.decode(
            Array(text.utf8), limits: Limits(), sharedMemory: memory)
        #expect(decoded.inputs == [NamedTensor(name: "x", tensor: tensor)])
        #expect(decoded.outputs.first?.sharedMemory == request.outputs.first?.sharedMemory)
        #expect(throws: ServingError.self) {
            try InferRequestJSON.decode(Array(text.utf8), limits: Limits())
        }
    }

    @Test(arguments: [
        (#""shared_memory_byte_size": 8"#, "no 'shared_memory_region'"),
        (#""shared_memory_region": 1, "shared_memory_byte_size": 8"#, "must be a string"),
        (#""shared_memory_region": "r", "shared_memory_byte_size": -1"#, "whole number"),
        (#""shared_memory_region": "r", "shared_memory_byte_size": 1e9"#, "whole number"),
        (
            #""shared_memory_region": "r", "shared_memory_byte_size": 4, "binary_data_size": 4"#,
            "both data and shared memory"
        ),
    ])
    func sharedMemoryParameters_thatAreWrong_areNamed(parameters: String, reason: String) {
        let text =
            #"{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "parameters": {"#
            + parameters + "}}]}"
        #expect {
            try InferRequestJSON.decode(
                Array(text.utf8), limits: Limits(), sharedMemory: Pocket())
        } throws: {
            ($0 as? ServingError)?.message.contains(reason) == true
        }
    }

    @Test func registrations_areReadFromTheirBody() throws {
        func read(_ text: String) throws -> SharedMemoryRequestJSON {
            try SharedMemoryRequestJSON(Array(text.utf8), limits: Limits())
        }
        let request = try read(#"{"key": "/k", "offset": 1, "byte_size": 2}"#)
        #expect((request.key, request.offset, request.byteCount) == ("/k", 1, 2))
        #expect(try read(#"{"key": "/k"}"#).byteCount == 0)
        for text in [
            "", "[]", "{}", #"{"key": 1}"#, #"{"key": "k", "offset": -1}"#,
            #"{"key": "k", "byte_size": "8"}"#, #"{"key": "k", "byte_size": 99999999999999999999}"#,
        ] {
            #expect(throws: ServingError.self) { try read(text) }
        }
    }

    @Test func inputsOfOneName_areRefused() {
        let input = #"{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}"#
        #expect(throws: ServingError.self) { try decode(#"{"inputs": [\#(input), \#(input)]}"#) }
    }

    @Test(arguments: [-1, 0, 13, Int.max])
    func headerLengthsThatDoNotFitTheBody_areRefused(length: Int) {
        #expect(throws: ServingError.self) {
            try InferRequestJSON.decode(
                Array(#"{"inputs":[]}"#.utf8.dropLast()), headerLength: length, limits: Limits())
        }
    }

    /// In a process of its own, so that a trap is a failure of this test alone.
    @Test func twentyThousandMutatedRequests_areDecodedOrRefused_neverATrap() async {
        await #expect(processExitsWith: .success) {
            var generator = SeededGenerator(seed: 77)
            var decoded = 0
            var refused = 0
            for _ in 0..<20_000 {
                let tensor = try RandomTensor.next(&generator)
                let response = try InferResponseJSON(
                    model: "m", version: 1,
                    request: InferRequest(inputs: [], prefersBinary: true),
                    outputs: [NamedTensor(name: "t", tensor: tensor)])
                var header = Array(response.body[..<(response.headerLength ?? 0)])
                header = Array(
                    String(decoding: header, as: UTF8.self)
                        .replacing("\"outputs\":", with: "\"inputs\":").utf8)
                var body = header + response.body[(response.headerLength ?? 0)...]
                for _ in 0..<Int.random(in: 0...2, using: &generator) {
                    let place = Int.random(in: 60..<body.count, using: &generator)
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: body[place] = UInt8.random(in: .min ... .max, using: &generator)
                    case 1: body[place] = UInt8.random(in: 0x30...0x39, using: &generator)
                    default: body.remove(at: place)
                    }
                }
                do {
                    _ = try InferRequestJSON.decode(
                        body, headerLength: header.count, limits: Limits())
                    decoded += 1
                } catch is ServingError {
                    refused += 1
                }
            }
            // Else the mutations are too wild, or too tame, to find anything.
            #expect(decoded > 3000, "\(decoded)")
            #expect(refused > 3000, "\(refused)")
        }
    }

    @Test func repositoryRequests_mayBeEmpty() throws {
        #expect(try !RepositoryRequestJSON.wantsReadyOnly([], limits: Limits()))
        #expect(
            try RepositoryRequestJSON.wantsReadyOnly(
                Array(#"{"ready": true}"#.utf8), limits: Limits()))
        #expect(
            try RepositoryRequestJSON.parameterNames(
                Array(#"{"parameters": {"config": "{}"}}"#.utf8), limits: Limits()) == ["config"])
        #expect(throws: ServingError.self) {
            try RepositoryRequestJSON.parameterNames(Array("[]".utf8), limits: Limits())
        }
    }
}

/// Tensors of every type of the protocol, with any values that the type has.
enum RandomTensor {
    static func next(
        _ generator: inout SeededGenerator, isText: Bool = false
    ) throws -> Tensor {
        let types = DataType.allCases.filter { $0.openInferenceName != nil }
        let dtype = types[Int.random(in: 0..<types.count, using: &generator)]
        let shape = try Shape(
            (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                Int.random(in: 0...3, using: &generator)
            })
        if dtype == .string {
            let strings = (0..<shape.elementCount).map { _ in
                (0..<Int.random(in: 0...9, using: &generator)).map { _ in
                    UInt8.random(in: isText ? 0...127 : 0...255, using: &generator)
                }
            }
            return try Tensor(shape: shape, strings: strings)
        }
        let size = try shape.byteCount(of: dtype)
        var bytes = (0..<size).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        if dtype == .bool { bytes = bytes.map { $0 & 1 } }
        if isText { makeComparable(&bytes, dtype) }
        return try Tensor(dtype: dtype, shape: shape, bytes: bytes)
    }

    /// Makes every number finite: the bits of a NaN do not survive JSON.
    private static func makeComparable(_ bytes: inout [UInt8], _ dtype: DataType) {
        switch dtype {
        case .float, .double, .half, .bfloat16:
            guard let width = dtype.byteSize else { return }
            // Never all ones in the exponent.
            for last in stride(from: width - 1, to: bytes.count, by: width) { bytes[last] &= 0xBF }
        default: break
        }
    }
}
