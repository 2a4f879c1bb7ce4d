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
        #expect(error?.message.contains("auto, tensorflow, openvino, litert") == true)
        #expect(throws: ValidationError.self) {
            try EngineSettings(engines: [], precisions: [text])
        }
    }
}
