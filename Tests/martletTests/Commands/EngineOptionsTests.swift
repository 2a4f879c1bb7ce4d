import ArgumentParser
import MartletEngines
import Testing

@testable import martlet

struct EngineOptionsTests {
    @Test func nothingSaid_isAutomaticAndExact() throws {
        let settings = try EngineSettings(engines: [], precisions: [])
        #expect(settings == EngineSettings(preference: .automatic, precision: .exact))
        #expect(settings.mayNeedTensorFlow)
    }

    @Test func valuesAreForAllModelsOrOne() throws {
        let settings = try EngineSettings(
            engines: ["openvino", "pitch=tensorflow", "a=b=auto"],
            precisions: ["x=fast", "exact"])
        #expect(settings.preference == .named(.openvino))
        #expect(
            settings.preferences == ["pitch": .named(.tensorflow), "a=b": .automatic])
        #expect(settings.precision == .exact)
        #expect(settings.precisions == ["x": .fast])
        let both = try EngineSettings(engines: ["m=auto-both"], precisions: [])
        #expect(both.preference(of: "m") == .both)
        #expect(both.preference(of: "other") == .automatic)
    }

    @Test func expectedConcurrency_isForAllModelsOrOne() throws {
        let settings = try EngineSettings(
            engines: [], precisions: [], expectedConcurrencies: ["32", "m=1"])
        #expect(settings.expectedConcurrency(of: "m") == 1)
        #expect(settings.expectedConcurrency(of: "other") == 32)
        #expect(EngineSettings().expectedConcurrency(of: "m") == 8)
        for text in ["", "0", "m=0", "m=many", "1000001", "-1"] {
            let error = #expect(throws: ValidationError.self) {
                try EngineSettings(
                    engines: [], precisions: [], expectedConcurrencies: [text])
            }
            #expect(error?.message.contains("--expected-concurrency \(text): ") == true)
            #expect(error?.message.contains("use 1 to 1000000") == true)
        }
    }

    @Test func tensorFlow_isNotNeededWhereNobodyAsksForIt() throws {
        let settings = try EngineSettings(engines: ["openvino", "m=litert"], precisions: [])
        #expect(!settings.mayNeedTensorFlow)
        #expect(
            try EngineSettings(engines: ["openvino", "m=auto"], precisions: []).mayNeedTensorFlow)
    }

    @Test(arguments: ["", "bird", "m=", "m=bird", "=openvino", "Auto"])
    func engineThatThereIsNot_isRefusedWithThoseThatThereAre(text: String) {
        let error = #expect(throws: ValidationError.self) {
            try EngineSettings(engines: [text], precisions: [])
        }
        #expect(error?.message.contains("auto, auto-both, tensorflow, openvino, litert") == true)
        #expect(throws: ValidationError.self) {
            try EngineSettings(engines: [], precisions: [text])
        }
    }
}
