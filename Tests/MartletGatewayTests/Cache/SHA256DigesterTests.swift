import Testing

@testable import MartletGateway

@Suite("Digest of an input by SHA-256")
struct SHA256DigesterTests {
    /// The first test vector of FIPS 180-4.
    @Test func sha256_isThatOfTheStandard() {
        let words = InputDigester.sha256().digest(bytes: Array("abc".utf8)).words
        #expect(words.first == 0xba78_16bf_8f01_cfea && words.second == 0x4141_40de_5dae_2223)
        #expect(words.third == 0xb003_61a3_9617_7a9c && words.fourth == 0xb410_ff61_f200_15ad)
    }
}
