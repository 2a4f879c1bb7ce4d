import MartletCore
import Testing

@testable import MartletTransport

@Suite("gRPC fields")
struct GRPCFieldsTests {
    @Test(arguments: [
        ("1H", Duration.seconds(3600)), ("2M", .seconds(120)), ("3S", .seconds(3)),
        ("4m", .milliseconds(4)), ("5u", .microseconds(5)), ("6n", .nanoseconds(6)),
        ("0S", .zero), ("00000001S", .seconds(1)), ("99999999m", .milliseconds(99_999_999)),
        ("99999999n", .nanoseconds(99_999_999)),
        ("99999999H", .seconds(99_999_999 * 3600)),
    ])
    func timeout_ofDigitsAndAUnit_isThatLong(value: String, duration: Duration) {
        #expect(GRPCFields.timeout(value) == duration)
    }

    @Test(arguments: [
        "", "S", "1", "1s", "1h", "1 S", " 1S", "1S ", "-1S", "-0S", "+1S", "1.5S", "1e3S",
        "100000000S", "0x1S", "1SS", "٣S", "1é", "1S\u{301}", "1\u{301}S", "S1", "1\u{0}",
    ])
    func timeout_ofAnyOtherForm_isNone(value: String) {
        #expect(GRPCFields.timeout(value) == nil)
    }

    @Test(arguments: [
        (Duration.seconds(10), "10000m"), (.zero, "1m"), (.seconds(1_000_000), "99999999m"),
    ])
    func text_isThatOfTheTimeoutInMilliseconds(timeout: Duration, text: String) {
        #expect(GRPCFields.text(timeout) == text)
    }

    @Test(arguments: [
        ("", ""), ("plain text, ~!", "plain text, ~!"), ("50%", "50%25"),
        ("a\nb\r\t", "a%0Ab%0D%09"), ("é😀", "%C3%A9%F0%9F%98%80"), ("\u{7F}\u{0}", "%7F%00"),
    ])
    func message_isPercentEncodedWhereItIsNotPrintableASCII(text: String, encoded: String) {
        #expect(GRPCFields.encodeMessage(text) == encoded)
    }

    @Test func message_thatIsLong_staysBelow8KiBHoweverItIsWritten() {
        for character in ["a", "%", "é", "\n"] {
            let encoded = GRPCFields.encodeMessage(String(repeating: character, count: 100_000))
            #expect(encoded.utf8.count <= 8192, "\(character)")
            #expect(encoded.utf8.count >= 2048, "\(character)")
        }
    }

    @Test func message_thatIsCutOff_isNotCutInsideACharacter() {
        let text = "x" + String(repeating: "é", count: 10_000)
        #expect(GRPCFields.encodeMessage(text).hasSuffix("%C3%A9"))
    }
}
