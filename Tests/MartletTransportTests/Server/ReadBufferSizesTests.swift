import MartletTestKit
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Sizes of read buffers")
struct ReadBufferSizesTests {
    /// The sizes of the buffers into which so many bytes are read.
    private func sizes(_ counts: [Int], _ sizes: inout ReadBufferSizes) -> [Int] {
        counts.map { count in
            let size = sizes.buffer(allocator: ByteBufferAllocator()).capacity
            _ = sizes.record(actualReadBytes: min(count, size))
            return size
        }
    }

    @Test func largeContent_isReadIntoLargeBuffersSoon() {
        var sizes = ReadBufferSizes()
        let content = Array(repeating: 1 << 20, count: 9)
        #expect(
            self.sizes(content, &sizes)
                == [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 65_536])
    }

    @Test func sizes_growSmallAgain_withTwoReadsEach() {
        var sizes = ReadBufferSizes()
        _ = self.sizes(Array(repeating: 1 << 20, count: 3), &sizes)
        #expect(self.sizes([100, 100, 100, 100, 100], &sizes) == [4096, 4096, 2048, 2048, 1024])
        #expect(self.sizes([600, 100, 600, 100, 100], &sizes) == Array(repeating: 1024, count: 5))
        #expect(self.sizes([512], &sizes) == [512])
    }

    @Test func buffersThatAreKept_areSmall() {
        for seed in SimulationSeeds.first(300) {
            var generator = SeededGenerator(seed: seed)
            var sizes = ReadBufferSizes()
            for _ in 0..<100 {
                let size = sizes.buffer(allocator: ByteBufferAllocator()).capacity
                #expect((512...65_536).contains(size), "\(SimulationSeeds.replay(seed))")
                let kept = sizes.nextBufferSize()
                #expect(kept == (size <= 2048 ? size : nil), "\(SimulationSeeds.replay(seed))")
                let count = 1 << Int.random(in: 0...20, using: &generator)
                // Else the one that is kept would be used for what is too large for it.
                let isKept = sizes.record(actualReadBytes: min(count, size))
                #expect(isKept)
            }
        }
    }
}
