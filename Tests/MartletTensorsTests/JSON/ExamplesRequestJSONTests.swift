import MartletCore
import Testing

@testable import MartletTensors

@Suite("Classify and regress requests in JSON")
struct ExamplesRequestJSONTests {
    private func decode(
        _ text: String, limits: Limits = Limits()
    ) throws -> ExamplesRequestJSON {
        try ExamplesRequestJSON(Array(text.utf8), limits: limits)
    }

    /// The only feature of the only example.
    private func feature(_ value: String) throws -> JSONFeature? {
        try decode(#"{"examples": [{"f": \#(value)}]}"#).examples.first?["f"]
    }

    private func refusal(_ text: String) -> String {
        do {
            return "not refused: \(try decode(text).examples)"
        } catch {
            return "\(error)"
        }
    }

    private func refusal(feature: String) -> String {
        refusal(#"{"examples": [{"f": \#(feature)}]}"#)
    }

    @Test func request_ofAllParts_isUnderstood() throws {
        let request = try decode(
            #"{"signature_name": "s", "context": {"a": "x"}, "examples": [{"b": 1}, {}]}"#)
        #expect(request.signatureName == "s")
        #expect(request.context == ["a": .strings([Array("x".utf8)])])
        #expect(request.examples == [["b": .integers([1])], [:]])
    }

    @Test func request_withoutSignatureAndContext_hasNone() throws {
        let request = try decode(#"{"examples": [{"b": 1}]}"#)
        #expect(request.signatureName.isEmpty)
        #expect(request.context == nil)
    }

    @Test(arguments: [
        ("1", JSONFeature.integers([1])), ("[1, -2]", .integers([1, -2])),
        ("9223372036854775807", .integers([.max])), ("true", .integers([1])),
        ("[true, false, 3]", .integers([1, 0, 3])),
        ("1.0", .floats([1])), ("[1.5, 2e3, -0.0]", .floats([1.5, 2000, 0])),
        ("[Infinity, -Infinity]", .floats([.infinity, -.infinity])),
        // Larger than 64 bits: read as a number with a point.
        ("20000000000000000000", .floats([2e19])),
        (#""abc""#, .strings([[97, 98, 99]])), (#"["", "a"]"#, .strings([[], [97]])),
        (#"{"b64": "AP8="}"#, .strings([[0, 255]])),
        (#"["a", {"b64": "AP8"}]"#, .strings([[97], [0, 255]])),
        ("[]", .empty),
    ])
    func feature_keepsTheKindItHasInJSON(value: String, expected: JSONFeature) throws {
        #expect(try feature(value) == expected)
    }

    @Test func feature_repeated_isTheLast() throws {
        let request = try decode(#"{"examples": [{"f": 1, "f": "a"}]}"#)
        #expect(request.examples == [["f": .strings([[97]])]])
    }

    @Test(arguments: [
        ("[1, 1.5]", "int64"), ("[1.5, 1]", "float"), (#"["a", 1]"#, "bytes"),
        (#"[1, "a"]"#, "int64"), ("[1.5, true]", "float"),
        (#"[1, {"b64": "AA=="}]"#, "int64"), (#"["a", 20000000000000000000]"#, "bytes"),
        (#"["a", 18446744073709551615]"#, "bytes"),
    ])
    func feature_ofMixedKinds_isRefused(value: String, kind: String) {
        #expect(
            refusal(feature: value)
                == "INVALID_ARGUMENT: Unexpected element type in feature: f expecting type: \(kind)"
        )
    }

    @Test(arguments: [
        ("null", "Null"), ("[null]", "Null"), ("[[1]]", "Array"), (#"{"a": 1}"#, "Object"),
        (#"{"b64": 1}"#, "Object"), (#"[{"b64": "AA==", "x": 1}]"#, "Object"),
    ])
    func feature_ofNoKind_isRefused(value: String, type: String) {
        #expect(
            refusal(feature: value)
                == "INVALID_ARGUMENT: Feature: f has element with unexpected JSON type: \(type)")
    }

    @Test(arguments: [
        ("18446744073709551615", "Feature: f has uint64 element. Only int64 is supported."),
        ("1e39", "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        (#"{"b64": "!"}"#, "Unable to base64 decode"),
    ])
    func feature_thatCannotBeHeld_isRefused(value: String, message: String) {
        #expect(refusal(feature: value) == "INVALID_ARGUMENT: \(message)")
    }

    @Test(arguments: [
        ("[]", "JSON Value: [] Is not object"), ("", "JSON Parse error: The document is empty"),
        (
            "{}",
            "JSON Value: {} When method is classify, key 'examples' is expected and was not found"
        ),
        (
            #"{"examples": 1}"#,
            #"JSON Value: {"examples":1} Expecting 'examples' value to be an list/array"#
        ),
        (#"{"examples": []}"#, #"JSON Value: {"examples":[]} 'examples' value is an empty array"#),
        (#"{"examples": [1]}"#, "Example must be JSON object but got JSON Number"),
        (#"{"examples": [[]]}"#, "Example must be JSON object but got JSON Array"),
        (
            #"{"context": "x", "examples": [{}]}"#,
            "Example must be JSON object but got JSON String"
        ),
        (
            #"{"signature_name": 5, "examples": [{}]}"#,
            #"JSON Value: {"signature_name":5,"examples":[{}]} not formatted correctly. "#
                + "'signature_name' key must be a string value."
        ),
    ])
    func request_malformed_isRefused(text: String, message: String) {
        #expect(refusal(text) == "INVALID_ARGUMENT: \(message)")
    }

    @Test func request_overALimit_isRefused() {
        var limits = Limits()
        limits.jsonValues = 4
        #expect(throws: ServingError.self) {
            try decode(#"{"examples": [{"f": [1, 2, 3, 4]}]}"#, limits: limits)
        }
    }

    @Test func examplesAndFeaturesThatAreNothingButMany_areRefused() throws {
        var limits = Limits()
        limits.messageBytes = 96 * 3
        // Six in all: two examples and four features.
        let within = #"{"examples": [{"a": 1, "b": 1, "c": 1, "d": 1}, {}]}"#
        #expect(try ExamplesRequestJSON(Array(within.utf8), limits: limits).examples.count == 2)
        let beyond = #"{"examples": [{}, {}, {}, {}, {}, {}, {}]}"#
        let error = #expect(throws: ServingError.self) {
            try ExamplesRequestJSON(Array(beyond.utf8), limits: limits)
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("7 examples and features") == true)
    }
}
