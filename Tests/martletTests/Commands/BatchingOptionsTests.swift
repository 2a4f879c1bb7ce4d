import ArgumentParser
import MartletModelServer
import Testing

@testable import martlet

struct BatchingOptionsTests {
    private func parse(_ arguments: String...) throws -> BatchingOptions {
        try BatchingOptions.parse(arguments)
    }

    @Test func nothingSaid_batchesNothing() throws {
        let options = try parse()
        #expect(try options.parameters == nil)
        #expect(try options.targets == BatchingOptions.Targets())
    }

    @Test(arguments: [["--enable-batching"], ["--batching=fixed"]])
    func fixedBatches_haveTensorFlowServingsDefaults(arguments: [String]) throws {
        #expect(try BatchingOptions.parse(arguments).parameters == BatchingParameters())
    }

    @Test func aTarget_makesBatchesAdaptive() throws {
        #expect(
            try parse("--target-latency-ms-p99=12.5").parameters?.targetLatency
                == .microseconds(12_500))
        #expect(try parse("--batching=adaptive").parameters?.targetLatency == .milliseconds(50))
        #expect(
            try parse("--batching=adaptive", "--target-latency-ms-p99=20").parameters?
                .targetLatency == .milliseconds(20))
    }

    @Test func targetOfAModel_leavesOthersAsTheyAre() throws {
        let options = try parse("--target-latency-ms-p99=a=b=7", "--target-latency-ms-p99=c=8")
        #expect(try options.parameters == nil)
        #expect(
            try options.targets.models == ["a=b": .milliseconds(7), "c": .milliseconds(8)])
    }

    @Test(arguments: ["0", "-1", "x", "", "m=", "m=x", "=5", "600001", "nan", "m=inf"])
    func targetsOutOfBounds_areRefused(text: String) {
        let error = #expect(throws: ValidationError.self) {
            try BatchingOptions.Targets([text])
        }
        #expect(error?.message.contains("from 1 to 600000") == true)
    }

    @Test(arguments: [
        ["--batching=off", "--enable-batching"],
        ["--batching=off", "--target-latency-ms-p99=5"],
        ["--batching=fixed", "--target-latency-ms-p99=5"],
        ["--batching=adaptive", "--enable-batching"],
        ["--batching=sometimes"],
    ])
    func contradictions_areRefused(arguments: [String]) {
        #expect(throws: (any Error).self) { try BatchingOptions.parse(arguments) }
    }
}
