@testable import MartletTransport

/// The situations of RFC 9112 and RFC 9110, section by section.
enum HTTP1ConformanceTables {
    typealias Case = HTTP1ConformanceCase

    static let all = requests + lines + targets + fields + hosts + lengths + codings + chunks

    static let accepted = all.filter { situation in
        if case .refused = situation.ending { false } else { true }
    }

    static let refused = all.filter { situation in
        if case .refused = situation.ending { true } else { false }
    }

    private static func get(_ fields: String...) -> String {
        (["GET / HTTP/1.1", "Host: a"] + fields + ["", ""]).joined(separator: "\r\n")
    }

    private static func line(_ line: String) -> String { line + "\r\nHost: a\r\n\r\n" }

    private static func post(_ fields: String..., body: String) -> String {
        (["POST / HTTP/1.1", "Host: a"] + fields + ["", ""]).joined(separator: "\r\n") + body
    }

    private static func chunked(_ body: String) -> String {
        post("Transfer-Encoding: chunked", body: body)
    }

    private static func taken(_ events: String...) -> Case.Ending { .taken(events) }

    private static let plain = Case.Ending.taken(["GET /", "end ''"])

    private static func posted(_ body: String) -> Case.Ending {
        .taken(["POST /", "end '\(body)'"])
    }

    private static let bad = Case.Ending.refused(400)

    // MARK: Whole requests

    static let requests: [Case] = [
        .init("3", "a request without content", get(), plain),
        .init(
            "6.2", "content of a length", post("Content-Length: 4", body: "echo"), posted("echo")),
        .init("6.2", "a length of 0", post("Content-Length: 0", body: ""), posted("")),
        .init("6.3", "POST without content", post(body: ""), posted("")),
        .init(
            "6.2", "GET with content", get("Content-Length: 2") + "hi", taken("GET /", "end 'hi'")),
        .init("9.3.2", "two at once", get() + get(), taken("GET /", "end ''", "GET /", "end ''")),
        .init(
            "9.3.2", "content and another request", post("Content-Length: 2", body: "hi") + get(),
            taken("POST /", "end 'hi'", "GET /", "end ''")),
        .init("2.2", "an empty line in front", "\r\n" + get(), plain),
        .init("2.2", "four empty lines in front", "\r\n\r\n\r\n\r\n" + get(), plain),
        .init("2.2", "more empty lines in front", String(repeating: "\r\n", count: 5) + get(), bad),
        .init("9.6", "Connection: close", get("Connection: close"), .last(["GET /", "end ''"])),
        .init(
            "9.6", "close among others", get("Connection: foo, Close , bar"),
            .last(["GET /", "end ''"])),
        .init("9.3", "Connection: keep-alive", get("Connection: keep-alive"), plain),
        .init("9.3", "a token that contains close", get("Connection: closed"), plain),
        .init("9.3", "HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", .last(["GET /", "end ''"])),
        .init("9.3", "HTTP/1.0 kept", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", plain),
        .init(
            "9.3", "HTTP/1.0 kept and closed",
            "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", .last(["GET /", "end ''"])),
        .init("2.3", "a minor version to come", line("GET / HTTP/1.7"), plain),
        .init("9110-9.3.2", "HEAD", line("HEAD / HTTP/1.1"), taken("HEAD /", "end ''")),
        .init(
            "9110-9.1", "a method of its own", line("F!x* / HTTP/1.1"), taken("F!x* /", "end ''")),
    ]

    // MARK: The first line

    static let lines: [Case] = [
        .init("3", "no version", line("GET /"), bad),
        .init("3", "no method", line("/ HTTP/1.1"), bad),
        .init("3", "a blank in front", line(" GET / HTTP/1.1"), bad),
        .init("3", "two blanks behind the method", line("GET  / HTTP/1.1"), bad),
        .init("3", "two blanks behind the target", line("GET /  HTTP/1.1"), bad),
        .init("3", "a blank at the end", line("GET / HTTP/1.1 "), bad),
        .init("3", "a tab for a blank", line("GET\t/ HTTP/1.1"), bad),
        .init("3.1", "a method with forbidden characters", line("G@T / HTTP/1.1"), bad),
        .init("3.1", "a method with a colon", line("GET: / HTTP/1.1"), bad),
        .init("2.2", "a bare LF behind the first line", "GET / HTTP/1.1\nHost: a\r\n\r\n", bad),
        .init("2.2", "a bare CR in the first line", line("GET /\r HTTP/1.1"), bad),
        .init("2.2", "a bare LF in front", "\n" + get(), bad),
        .init("2.2", "a bare CR in front", "\r" + get(), bad),
        .init("2.3", "HTTP in small letters", line("GET / http/1.1"), bad),
        .init("2.3", "a version of one digit", line("GET / HTTP/1"), bad),
        .init("2.3", "a version of two digits", line("GET / HTTP/1.10"), bad),
        .init("2.3", "another protocol", line("GET / ICAP/1.1"), bad),
        .init("2.3", "a version with a letter", line("GET / HTTP/1.x"), bad),
        .init("9110-2.5", "HTTP/2.0", line("GET / HTTP/2.0"), .refused(505)),
        .init("9110-2.5", "HTTP/0.9", line("GET / HTTP/0.9"), .refused(505)),
        .init("3", "NUL in front", [0] + Array(get().utf8), bad),
        .init("3", "TLS", [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01] as [UInt8], bad),
        .init("3", "NULs without a line", [UInt8](repeating: 0, count: 100), bad),
    ]

    // MARK: Targets

    static let targets: [Case] = [
        .init("3.2.1", "a query", line("GET /a?b=c?d HTTP/1.1"), taken("GET /a?b=c?d", "end ''")),
        .init("3.2.1", "an empty query", line("GET /a? HTTP/1.1"), taken("GET /a", "end ''")),
        .init("3.2.1", "encoded", line("GET /a%20b HTTP/1.1"), taken("GET /a%20b", "end ''")),
        .init("3.2.1", "two slashes", line("GET //b/c HTTP/1.1"), taken("GET //b/c", "end ''")),
        .init("3.2.2", "absolute", line("GET http://a/b?c HTTP/1.1"), taken("GET /b?c", "end ''")),
        .init(
            "3.2.2", "absolute, of https", line("GET HTTPS://A/b HTTP/1.1"),
            taken("GET /b", "end ''")),
        .init("3.2.2", "absolute without a path", line("GET http://a HTTP/1.1"), plain),
        .init(
            "3.2.2", "absolute, a query alone", line("GET http://a?b HTTP/1.1"),
            taken("GET /?b", "end ''")),
        .init("3.2.2", "absolute, another host", line("GET http://b/ HTTP/1.1"), bad),
        .init("3.2.2", "absolute, another port", line("GET http://a:1/ HTTP/1.1"), bad),
        .init("3.2.2", "absolute without a host", line("GET http:///b HTTP/1.1"), bad),
        .init("9110-4.2.4", "absolute, with a user", line("GET http://u@a/ HTTP/1.1"), bad),
        .init("3.2.2", "absolute, of another scheme", line("GET ftp://a/ HTTP/1.1"), bad),
        .init("3.2.4", "an asterisk", line("OPTIONS * HTTP/1.1"), taken("OPTIONS *", "end ''")),
        .init(
            "3.2.4", "the server as a whole, absolute", line("OPTIONS http://a HTTP/1.1"),
            taken("OPTIONS *", "end ''")),
        .init(
            "3.2.4", "absolute, its root", line("OPTIONS http://a/ HTTP/1.1"),
            taken("OPTIONS /", "end ''")),
        .init(
            "3.2.4", "absolute, an empty query", line("OPTIONS http://a? HTTP/1.1"),
            taken("OPTIONS /", "end ''")),
        .init("3.2.4", "an asterisk of GET", line("GET * HTTP/1.1"), bad),
        .init("3.2.3", "CONNECT", line("CONNECT a:443 HTTP/1.1"), .refused(501)),
        .init("3.2.1", "a path without a slash", line("GET a HTTP/1.1"), bad),
        .init("3.2", "a fragment", line("GET /a#b HTTP/1.1"), bad),
        .init("3.2", "NUL", line("GET /a\0 HTTP/1.1"), bad),
        .init("3.2", "DEL", line("GET /a\u{7F} HTTP/1.1"), bad),
        .init("3.2", "not ASCII", line("GET /ä HTTP/1.1"), bad),
        .init("3.2", "a tab", line("GET /a\tb HTTP/1.1"), bad),
    ]

    // MARK: Fields

    static let fields: [Case] = [
        .init("5", "an empty value", get("X-Bird:"), plain),
        .init("5.1", "blanks around a value", get("X-Bird: \t swift \t "), plain),
        .init("5.1", "a value of blanks", get("X-Bird:  \t "), plain),
        .init("5.1", "no blank before a value", get("X-Bird:swift"), plain),
        .init("5", "a colon in a value", get("X-Bird: a:b"), plain),
        .init("9110-5.5", "a tab in a value", get("X-Bird: a\tb"), plain),
        .init("9110-5.5", "bytes above ASCII in a value", get("X-Bird: möwe"), plain),
        .init("9110-5.6.2", "every character of a token", get("!#$%&'*+-.^_`|~09azAZ: x"), plain),
        .init("5.1", "a blank before the colon", get("X-Bird : swift"), bad),
        .init("5.1", "a tab before the colon", get("X-Bird\t: swift"), bad),
        .init("5.1", "a blank in a name", get("X Bird: swift"), bad),
        .init("5.1", "an empty name", get(": swift"), bad),
        .init("5.1", "no colon", get("X-Bird"), bad),
        .init("9110-5.6.2", "a forbidden character in a name", get("X(Bird): swift"), bad),
        .init("9110-5.6.2", "NUL in a name", get("X-\0Bird: swift"), bad),
        .init("9110-5.6.2", "a name beyond ASCII", get("X-Möwe: swift"), bad),
        .init("5.2", "a folded value", get("X-Bird: swift", " swallow"), bad),
        .init("5.2", "a value folded by a tab", get("X-Bird: swift", "\tswallow"), bad),
        .init("2.2", "a blank behind the first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", bad),
        .init("9110-5.5", "NUL in a value", get("X-Bird: sw\0ift"), bad),
        .init("9110-5.5", "a control character in a value", get("X-Bird: sw\u{1}ift"), bad),
        .init("9110-5.5", "DEL in a long value", get("X-Bird: 0123456789\u{7F}0123456789"), bad),
        .init("2.2", "a bare LF in a value", get("X-Bird: a\nb: c"), bad),
        .init("2.2", "a bare CR in a value", get("X-Bird: a\rb: c"), bad),
        .init("2.2", "CR CR LF", get("X-Bird: a\r"), bad),
        .init("2.2", "a bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", bad),
        .init("2.2", "two bare LFs at the end", "GET / HTTP/1.1\r\nHost: a\n\n", bad),
    ]

    // MARK: The host

    static let hosts: [Case] = [
        .init("3.2", "no host", wire("GET / HTTP/1.1"), bad),
        .init("3.2", "two hosts", get("Host: b"), bad),
        .init("3.2", "the same host twice", get("host: a"), bad),
        .init("3.2", "two hosts of HTTP/1.0", wire("GET / HTTP/1.0", "Host: a", "Host: a"), bad),
        .init("3.2", "an empty host", wire("GET / HTTP/1.1", "Host:"), plain),
        .init("3.2", "a port", wire("GET / HTTP/1.1", "Host: a.test:8501"), plain),
        .init("3.2", "an empty port", wire("GET / HTTP/1.1", "Host: a:"), plain),
        .init("3.2", "an address", wire("GET / HTTP/1.1", "HOST: 127.0.0.1:80"), plain),
        .init("3.2", "an address in brackets", wire("GET / HTTP/1.1", "Host: [::1]:80"), plain),
        .init("3.2", "an underscore", wire("GET / HTTP/1.1", "Host: my_node"), plain),
        .init("3.2", "a port with letters", wire("GET / HTTP/1.1", "Host: a:8a"), bad),
        .init("3.2", "a port that is too long", wire("GET / HTTP/1.1", "Host: a:800000"), bad),
        .init("3.2", "a path", wire("GET / HTTP/1.1", "Host: a/b"), bad),
        .init("3.2", "a user", wire("GET / HTTP/1.1", "Host: u@a"), bad),
        .init("3.2", "a blank", wire("GET / HTTP/1.1", "Host: a b"), bad),
        .init("3.2", "a list", wire("GET / HTTP/1.1", "Host: a, b"), bad),
        .init("3.2", "an open bracket", wire("GET / HTTP/1.1", "Host: [::1"), bad),
        .init("3.2", "empty brackets", wire("GET / HTTP/1.1", "Host: []"), bad),
        .init("3.2", "text behind brackets", wire("GET / HTTP/1.1", "Host: [::1]a"), bad),
        .init("3.2", "two ports", wire("GET / HTTP/1.1", "Host: a:1:2"), bad),
    ]

    // MARK: Lengths

    private static func length(_ values: String...) -> String {
        (["POST / HTTP/1.1", "Host: a"] + values.map { "Content-Length: \($0)" } + ["", ""])
            .joined(separator: "\r\n") + "echo"
    }

    static let lengths: [Case] = [
        .init("9110-8.6", "zeros in front", length("0004"), posted("echo")),
        .init("9110-8.6", "small letters", post("content-length:4", body: "echo"), posted("echo")),
        .init("6.3", "two different ones", length("4", "5"), bad),
        .init("6.3", "the same twice", length("4", "4"), bad),
        .init("6.3", "a list of different ones", length("4, 5"), bad),
        .init("6.3", "a list of the same", length("4, 4"), bad),
        .init("9110-8.6", "none", length(""), bad),
        .init("9110-8.6", "negative", length("-4"), bad),
        .init("9110-8.6", "with a sign", length("+4"), bad),
        .init("9110-8.6", "hexadecimal", length("0x4"), bad),
        .init("9110-8.6", "a fraction", length("4.0"), bad),
        .init("9110-8.6", "with a blank in it", length("1 4"), bad),
        .init("9110-8.6", "beyond 63 bits", length("9223372036854775808"), bad),
        .init("9110-8.6", "beyond 64 bits", length("18446744073709551620"), bad),
        .init("9110-8.6", "very long", length(String(repeating: "9", count: 100)), bad),
        .init("5.1", "a blank before its colon", post("Content-Length : 4", body: "echo"), bad),
    ]

    // MARK: Transfer codings

    private static func coded(_ fields: String..., version: String = "1.1") -> String {
        (["POST / HTTP/\(version)", "Host: a"] + fields + ["", ""]).joined(separator: "\r\n")
            + "4\r\necho\r\n0\r\n\r\n"
    }

    static let codings: [Case] = [
        .init("6.1", "chunked", coded("Transfer-Encoding: chunked"), posted("echo")),
        .init("6.1", "chunked, in capitals", coded("transfer-encoding:CHUNKED "), posted("echo")),
        .init(
            "6.3", "with a length",
            coded("Transfer-Encoding: chunked", "Content-Length: 4"), bad),
        .init(
            "6.3", "behind a length",
            coded("Content-Length: 4", "Transfer-Encoding: chunked"), bad),
        .init("6.1", "of HTTP/1.0", coded("Transfer-Encoding: chunked", version: "1.0"), bad),
        .init(
            "6.1", "gzip, then chunked", coded("Transfer-Encoding: gzip, chunked"), .refused(501)),
        .init(
            "6.1", "gzip, then chunked in two fields",
            coded("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), .refused(501)),
        .init("6.3", "chunked is not the last", coded("Transfer-Encoding: chunked, gzip"), bad),
        .init("6.3", "chunked, then identity", coded("Transfer-Encoding: chunked, identity"), bad),
        .init("7.1", "chunked twice", coded("Transfer-Encoding: chunked, chunked"), bad),
        .init(
            "7.1", "chunked twice in two fields",
            coded("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), bad),
        .init("6.1", "unknown", coded("Transfer-Encoding: xchunked"), .refused(501)),
        .init("6.1", "identity", coded("Transfer-Encoding: identity"), .refused(501)),
        .init("6.1", "with a parameter", coded("Transfer-Encoding: chunked;a=b"), .refused(501)),
        .init("6.1", "in quotes", coded("Transfer-Encoding: \"chunked\""), .refused(501)),
        .init("6.1", "none", coded("Transfer-Encoding:"), bad),
        .init("6.1", "an empty member", coded("Transfer-Encoding: , chunked"), bad),
        .init("6.1", "an empty member behind", coded("Transfer-Encoding: chunked,"), bad),
        .init("5.1", "a blank before its colon", coded("Transfer-Encoding : chunked"), bad),
        .init("5.2", "folded", coded("Transfer-Encoding:", " chunked"), bad),
        .init("9110-5.5", "a vertical tab", coded("Transfer-Encoding: \u{B}chunked"), bad),
    ]

    // MARK: Chunks

    static let chunks: [Case] = [
        .init("7.1", "none but the last", chunked("0\r\n\r\n"), posted("")),
        .init("7.1", "several", chunked("2\r\nec\r\n2\r\nho\r\n0\r\n\r\n"), posted("echo")),
        .init(
            "7.1", "capital digits", chunked("A\r\n0123456789\r\n0\r\n\r\n"), posted("0123456789")),
        .init("7.1", "zeros in front", chunked("0004\r\necho\r\n000\r\n\r\n"), posted("echo")),
        .init("7.1", "CR LF in a chunk", chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"), posted("\r\n\r\n")),
        .init("7.1.1", "an extension", chunked("4;a\r\necho\r\n0;b=c\r\n\r\n"), posted("echo")),
        .init(
            "7.1.1", "a quoted extension", chunked("4;a=\"b;\\\"c\";d\r\necho\r\n0\r\n\r\n"),
            posted("echo")),
        .init("7.1.2", "trailers", chunked("0\r\nA: b\r\nC: d\r\n\r\n"), posted("")),
        .init("7.1", "no number", chunked("zz\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "an empty line", chunked("\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "a sign", chunked("+4\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "a negative size", chunked("-4\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "0x", chunked("0x4\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "a blank in front", chunked(" 4\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "a blank behind", chunked("4 \r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "a tab behind", chunked("4\t\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "a size of 64 bits", chunked("8000000000000000\r\n"), bad),
        .init("7.1", "a size beyond 64 bits", chunked("11111111111111111\r\n"), bad),
        .init("7.1", "longer than it says", chunked("3\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "shorter than it says", chunked("5\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "a bare LF behind a size", chunked("4\necho\r\n0\r\n\r\n"), bad),
        .init("7.1", "a bare LF behind a chunk", chunked("4\r\necho\n0\r\n\r\n"), bad),
        .init("7.1", "a bare CR behind a size", chunked("4\recho\r\n0\r\n\r\n"), bad),
        .init("7.1", "a bare LF at the end", chunked("0\r\n\n"), bad),
        .init("7.1.1", "an extension without a name", chunked("4;\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1.1", "an extension without a value", chunked("4;a=\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1.1", "a blank in an extension", chunked("4; a\r\necho\r\n0\r\n\r\n"), bad),
        .init(
            "7.1.1", "an extension with an open quote", chunked("4;a=\"b\r\necho\r\n0\r\n\r\n"), bad
        ),
        .init("7.1.1", "a bare LF in an extension", chunked("4;a\nb\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1.1", "NUL in an extension", chunked("4;a\0\r\necho\r\n0\r\n\r\n"), bad),
        .init("7.1.2", "a folded trailer", chunked("0\r\nA: b\r\n c\r\n\r\n"), bad),
        .init("7.1.2", "a trailer without a colon", chunked("0\r\nA\r\n\r\n"), bad),
        .init(
            "9110-6.5.1", "a length among the trailers", chunked("0\r\nContent-Length: 3\r\n\r\n"),
            bad),
        .init(
            "9110-6.5.1", "a coding among the trailers",
            chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), bad),
        .init("9110-6.5.1", "a host among the trailers", chunked("0\r\nHost: b\r\n\r\n"), bad),
    ]
}
