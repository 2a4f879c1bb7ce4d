import MartletCore
import Testing

@testable import MartletModelServer

@Suite("JSON of the model status")
struct StatusJSONTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private let available = VersionStatus(version: 2, state: .available, error: nil)
    private let broken = VersionStatus(
        version: 3, state: .end, error: ServingError(.dataLoss, "\"x\"\n is\u{1} gone"))

    @Test func model_isLaidOutAsProtobufDoes() {
        #expect(
            text(StatusJSON.model([available, broken]))
                == #"""
                {
                 "model_version_status": [
                  {
                   "version": "2",
                   "state": "AVAILABLE",
                   "status": {
                    "error_code": "OK",
                    "error_message": ""
                   }
                  },
                  {
                   "version": "3",
                   "state": "END",
                   "status": {
                    "error_code": "DATA_LOSS",
                    "error_message": "\"x\"\n is\u0001 gone"
                   }
                  }
                 ]
                }

                """#)
    }

    @Test func models_areListedWithTheirVersions() {
        #expect(
            text(
                StatusJSON.models([
                    StatusJSON.Listed(
                        name: "a", versions: [available], labels: ["stable": 2, "canary": 3]),
                    StatusJSON.Listed(name: "b", versions: []),
                ]))
                    == #"""
                    {
                     "models": [
                      {
                       "name": "a",
                       "model_version_status": [
                        {
                         "version": "2",
                         "state": "AVAILABLE",
                         "status": {
                          "error_code": "OK",
                          "error_message": ""
                         }
                        }
                       ],
                       "version_labels": {
                        "canary": "3",
                        "stable": "2"
                       }
                      },
                      {
                       "name": "b",
                       "model_version_status": [],
                       "version_labels": {}
                      }
                     ]
                    }

                    """#)
    }

    @Test func models_whenThereAreNone_areAnEmptyList() {
        #expect(text(StatusJSON.models([])) == "{\n \"models\": []\n}\n")
    }

    @Test func states_haveTensorFlowServingsNamesAndNumbers() {
        let states = ServableState.allCases.map { "\($0.rawValue) \($0.name)" }
        #expect(states == ["10 START", "20 LOADING", "30 AVAILABLE", "40 UNLOADING", "50 END"])
    }
}
