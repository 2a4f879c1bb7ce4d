import Foundation
import MartletCore
import MartletProtocols
import SwiftProtobuf
import Testing

@testable import MartletModelServer

@Suite("JSON of the model metadata")
struct MetadataJSONTests {
    private func text(_ signatures: [String: Tensorflow_SignatureDef]) -> String {
        let id = ServableID(model: "half \"plus\" two", version: 123)
        return String(decoding: MetadataJSON.body(id, signatures: signatures), as: UTF8.self)
    }

    /// The layout of `GET /v1/models/half_plus_two/metadata` in TensorFlow Serving's REST guide,
    /// with what else can occur in a tensor.
    @Test func signatures_areLaidOutAsTensorFlowServingDoes() {
        let signature = Tensorflow_SignatureDef.with { signature in
            signature.methodName = "tensorflow/serving/predict"
            signature.inputs["x"] = .with { info in
                info.name = "x:0"
                info.dtype = .dtFloat
                info.tensorShape.dim = [
                    .with { $0.size = -1 },
                    .with {
                        $0.size = 4; $0.name = "f"
                    },
                ]
            }
            signature.outputs["y"] = .with { info in
                info.name = "y:0"
                info.dtype = .dtComplex128
                info.tensorShape.unknownRank = true
            }
        }
        #expect(
            text(["serving_default": signature])
                == #"""
                {
                "model_spec":{
                 "name": "half \"plus\" two",
                 "signature_name": "",
                 "version": "123"
                }
                ,
                "metadata": {"signature_def": {
                 "signature_def": {
                  "serving_default": {
                   "inputs": {
                    "x": {
                     "dtype": "DT_FLOAT",
                     "tensor_shape": {
                      "dim": [
                       {
                        "size": "-1",
                        "name": ""
                       },
                       {
                        "size": "4",
                        "name": "f"
                       }
                      ],
                      "unknown_rank": false
                     },
                     "name": "x:0"
                    }
                   },
                   "outputs": {
                    "y": {
                     "dtype": "DT_COMPLEX128",
                     "tensor_shape": {
                      "dim": [],
                      "unknown_rank": true
                     },
                     "name": "y:0"
                    }
                   },
                   "method_name": "tensorflow/serving/predict",
                   "defaults": {}
                  }
                 }
                }
                }
                }

                """#)
    }

    @Test func signatures_andTensors_areSortedByName() {
        let signature = Tensorflow_SignatureDef.with { signature in
            for name in ["b", "a", "c"] { signature.inputs[name] = .with { $0.name = name } }
        }
        let body = text(["z": signature, "a": signature])
        let keys = body.split(separator: "\n").filter { $0.hasSuffix("\": {") }.map {
            $0.filter(\.isLetter)
        }
        let one = ["inputs"] + ["a", "b", "c"].flatMap { [$0, "tensorshape"] }
        #expect(
            keys.filter { $0 != "signaturedef" && $0 != "metadatasignaturedef" }
                == ["a"] + one + ["z"] + one)
        #expect(body.contains("\"dtype\": \"DT_INVALID\""))
    }

    @Test func defaults_areTheValuesOfInputs_withAllThatAPrinterOfProtobufCanWrite() {
        let signature = Tensorflow_SignatureDef.with { signature in
            signature.defaults["x"] = .with { tensor in
                tensor.dtype = .dtFloat
                tensor.tensorShape.dim = [.with { $0.size = 3 }]
                tensor.floatVal = [1, 0.5, -.infinity]
                tensor.stringVal = [Data("abc".utf8)]
                tensor.int64Val = [-7]
            }
        }
        let expected = #"""
               "defaults": {
                "x": {
                 "dtype": "DT_FLOAT",
                 "tensor_shape": {
                  "dim": [
                   {
                    "size": "3",
                    "name": ""
                   }
                  ],
                  "unknown_rank": false
                 },
                 "version_number": 0,
                 "tensor_content": "",
                 "half_val": [],
                 "float_val": [
                  1,
                  0.5,
                  "-Infinity"
                 ],
                 "double_val": [],
                 "int_val": [],
                 "string_val": [
                  "YWJj"
                 ],
                 "scomplex_val": [],
                 "int64_val": [
                  "-7"
                 ],
                 "bool_val": [],
                 "dcomplex_val": [],
                 "resource_handle_val": [],
                 "variant_val": [],
                 "uint32_val": [],
                 "uint64_val": [],
                 "float8_val": ""
                }
               }
            """#
        let body = text(["serving_default": signature])
        #expect(body.contains(expected), "\(body)")
    }

    @Test func metadata_withoutSignatures_isAnEmptyObject() {
        #expect(
            text([:]).hasSuffix(
                "\"metadata\": {\"signature_def\": {\n \"signature_def\": {}\n}\n}\n}\n"))
    }
}
