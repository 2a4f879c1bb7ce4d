import Testing

@testable import MartletCore

@Suite("Limits")
struct LimitsTests {
    @Test func defaults_areThoseTheDocumentsState() {
        let limits = Limits()
        #expect(limits.messageBytes == 67_108_864)
        #expect(limits.decompressionRatio == 100)
        #expect(limits.jsonDepth == 32)
        #expect(limits.jsonValues == 8_388_608)
        #expect(limits.tensorRank == 254)
        #expect(limits.headerFields == 128)
        #expect(limits.headerBytes == 65_536)
        #expect(limits.headerTimeout == .seconds(10))
        #expect(limits.bodyTimeout == .seconds(60))
        #expect(limits.bodyBytesPerSecondMin == 240)
        #expect(limits.bodyGrace == .seconds(10))
        #expect(limits.idleTimeout == .seconds(300))
        #expect(limits.unacknowledgedTimeout == .seconds(60))
        #expect(limits.keepalive == .seconds(120))
        #expect(limits.requestTimeout == nil)
        #expect(limits.streamBufferBytes == 1_048_576)
        #expect(limits.streamRequests == 64)
        #expect(limits.concurrentStreams == 1024)
        #expect(limits.connections == 20_000)
        #expect(limits.queuedRequests == 1024)
        #expect(limits.drain == .seconds(30))
    }
}

@Suite("Servable identifiers")
struct ServableIDTests {
    @Test func description_isNameColonVersion() {
        #expect(ServableID(model: "m", version: 12).description == "m:12")
    }

    @Test func order_isByNameThenByVersionAsANumber() {
        let sorted = [
            ServableID(model: "b", version: 1),
            ServableID(model: "a", version: 10),
            ServableID(model: "a", version: 9),
        ].sorted()
        #expect(sorted.map(\.description) == ["a:9", "a:10", "b:1"])
    }
}
