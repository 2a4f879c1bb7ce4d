import Testing

@testable import MartletEngines

@Suite("How language models are laid out in memory")
struct LlamaLayoutTests {
    private func layout(
        training: Int = 8192, cellBytes: Int = 1024, _ change: (inout LlamaEngine.Options) -> Void
    ) -> LlamaLayout {
        var options = LlamaEngine.Options()
        options.memoryBytes = 64 * 1024 * 1024
        change(&options)
        return LlamaLayout(options, trainingContext: training, cellBytes: cellBytes)
    }

    @Test func memoryOfManySequences_isSplit() {
        let layout = layout { $0.contextTokens = 1024 }
        #expect(!layout.isUnified)
        #expect(layout.slots == 64)
        #expect(layout.cells == 64 * 1024)
        #expect(layout.running == 32)
    }

    @Test func memoryOfFewSequences_isShared() {
        let layout = layout(cellBytes: 8192) { $0.contextTokens = 4096 }
        #expect(layout.isUnified)
        #expect(layout.cells == 8192)
        #expect(layout.slots == LlamaLayout.slotsMax)
    }

    @Test func oneSequence_alwaysFits() {
        let layout = layout(cellBytes: 1 << 20) { $0.contextTokens = 4096 }
        #expect(layout.isUnified)
        #expect(layout.cells == 4096)
        let split = self.layout(cellBytes: 1 << 20) {
            $0.contextTokens = 4096
            $0.layout = .split
        }
        #expect(split.slots == 1)
        #expect(split.cells == 4096)
        #expect(split.running == 1)
    }

    @Test func context_isThatOfTraining_upToTheUsual() {
        #expect(layout(training: 2048) { _ in }.contextTokens == 2048)
        #expect(
            layout(training: 131_072) { _ in }.contextTokens
                == LlamaEngine.Options.contextTokensUsual)
        #expect(layout(training: 2048) { $0.contextTokens = 3000 }.contextTokens == 3000)
    }

    @Test func tokensOfMemory_goBeforeBytes() {
        let layout = layout {
            $0.contextTokens = 100
            $0.memoryTokens = 1000
        }
        #expect(layout.cells == 1000)
        #expect(layout.slots == 10)
        #expect(layout.running == 10)
    }

    @Test(arguments: [0, -1, .max]) func sizesWithoutSense_giveALayout(bytes: Int) {
        let layout = layout(training: 1, cellBytes: bytes) { $0.memoryBytes = bytes }
        #expect(layout.cells >= layout.contextTokens)
        #expect(layout.slots >= 1)
        #expect(layout.running >= 1)
    }
}
