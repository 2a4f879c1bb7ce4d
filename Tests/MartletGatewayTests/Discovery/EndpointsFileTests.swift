import MartletCore
import MartletTestKit
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("File of endpoints")
struct EndpointsFileTests {
    /// The endpoints in words, or the message of the error.
    private func parse(_ text: String) -> [String] {
        do {
            return try EndpointsFile.parse(text, file: "f").endpoints.map { endpoint in
                let locality = endpoint.locality
                return "\(endpoint.id) \(endpoint.weight) \(locality.zone ?? "-") "
                    + "\(locality.region ?? "-")"
            }
        } catch {
            return error.message.split(separator: "\n").map(String.init)
        }
    }

    @Test func file_isReadLineByLine() {
        let text = """
            # The first is near.

            10.0.0.1:8501
            node-2.example:8502   weight=3 zone=eu-1a region=eu-1  # the large one
            \tnode_3:8503\tregion=eu_2\t#zone=ignored
            [2001:db8::1]:8504 zone=a
            """
        #expect(
            parse(text) == [
                "10.0.0.1:8501 1 - -", "2001:db8::1:8504 1 a -", "node-2.example:8502 3 eu-1a eu-1",
                "node_3:8503 1 - eu_2",
            ])
    }

    @Test(arguments: ["", "\n\n", "# nothing", "   \t\n#\n"])
    func file_withoutEndpoints_isEmpty(text: String) {
        #expect(parse(text).isEmpty)
    }

    @Test func linesOfWindows_areLinesToo() {
        #expect(parse("a:1\r\nb:2\r\n") == ["a:1 1 - -", "b:2 1 - -"])
        #expect(parse("a:1\r\nb\r\n").first?.hasPrefix("f:2:") == true)
    }

    @Test func hostOfBrackets_isTheAddressWithin() throws {
        let endpoint = try #require(try EndpointsFile.parse("[::1]:80").endpoints.first)
        #expect(endpoint.address == UpstreamAddress(host: "::1", port: 80))
    }

    @Test(arguments: [
        "host", "host:", ":80", "host:0", "host:65536", "host:99999999999999999999", "host:+80",
        "host:-1", "host:8o", "::1:80", "[::1]", "[]:80", "[host]:80", "[::1:80", "::1]:80",
        "ho/st:80", "http://host:80", "host :80", "hóst:80", "host:８０", "a,b:80", "host:80/path",
        "user@host:80", "[::1 ]:80", "ho\u{0}st:80", "=:80",
    ])
    func address_thatIsNone_isAnError(address: String) {
        let problems = parse(address)
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("f:1: ") == true)
        #expect(problems.first?.contains("no address") == true)
    }

    @Test(arguments: [
        ("weight=0", "weight '0' is no whole number from 1 to 1000000"),
        ("weight=1000001", "weight '1000001' is no whole number from 1 to 1000000"),
        ("weight=-1", "weight '-1' is no whole number from 1 to 1000000"),
        ("weight=", "weight '' is no whole number from 1 to 1000000"),
        ("weight=1.5", "weight '1.5' is no whole number from 1 to 1000000"),
        ("weight=1=2", "weight '1=2' is no whole number from 1 to 1000000"),
        ("zone=", "zone '' is no name; write letters, digits, '-', '.' and '_'"),
        ("region=a/b", "region 'a/b' is no name; write letters, digits, '-', '.' and '_'"),
        ("weight", "'weight' is not known; there are weight=N, zone=Z and region=R"),
        ("Weight=2", "'Weight=2' is not known; there are weight=N, zone=Z and region=R"),
        ("=", "'=' is not known; there are weight=N, zone=Z and region=R"),
        ("host2:80", "'host2:80' is not known; there are weight=N, zone=Z and region=R"),
        ("weight=2 weight=2", "weight is given twice"),
        ("zone=a zone=b", "zone is given twice"),
    ])
    func option_thatIsWrong_isAnErrorThatNamesIt(option: String, problem: String) {
        #expect(parse("a:1\n\nhost:80 \(option)") == ["f:3: \(problem)"])
    }

    @Test func endpoint_givenTwice_isAnErrorThatNamesTheFirst() {
        #expect(parse("a:1\nb:1\na:1 weight=2") == ["f:3: a:1 is already in line 1"])
    }

    @Test func problems_areToldTogetherInOrderUpToTwenty() {
        #expect(parse("a\nb:1\nc:1 x\nb:1").map { $0.prefix(4) } == ["f:1:", "f:3:", "f:4:"])
        let many = parse(String(repeating: "x\n", count: 1000))
        #expect(many.count == 20 && many.last?.hasPrefix("f:20:") == true)
    }

    @Test func wordThatIsLong_isShownInPart() {
        let problem = parse(String(repeating: "x", count: 10_000)).first ?? ""
        #expect(problem.hasPrefix("f:1: 'xxx") && problem.utf8.count < 200)
    }

    @Test func fileBeyondItsBounds_isAnError() {
        let bytes = 1 << 20
        #expect(parse(String(repeating: "#", count: bytes)).isEmpty)
        #expect(
            parse(String(repeating: "#", count: bytes + 1)) == ["f: larger than 1048576 bytes"])
        let lines = (0..<10_001).map { "h\($0):80" }
        #expect(parse(lines.dropLast().joined(separator: "\n")).count == 10_000)
        #expect(
            parse(lines.joined(separator: "\n")) == ["f:10001: more than 10000 endpoints"])
        #expect(parse(String(repeating: "h", count: 253) + ":80").first?.hasPrefix("h") == true)
        #expect(parse(String(repeating: "h", count: 254) + ":80").first?.hasPrefix("f:1:") == true)
    }

    @Test func error_isAnInvalidArgument() {
        #expect { try EndpointsFile.parse("?") } throws: {
            ($0 as? ServingError)?.code == .invalidArgument
        }
    }

    @Test func randomEndpoints_areReadAsTheyAreWritten() throws {
        for seed in SimulationSeeds.first(500) {
            var generator = SeededGenerator(seed: seed)
            let set = EndpointSet.random(&generator)
            var text = ""
            for endpoint in set.endpoints.shuffled(using: &generator) {
                var words = ["\(endpoint.address)"]
                if endpoint.weight > 1 { words.append("weight=\(endpoint.weight)") }
                if let zone = endpoint.locality.zone { words.append("zone=\(zone)") }
                if let region = endpoint.locality.region { words.append("region=\(region)") }
                text += words.joined(separator: Bool.random(using: &generator) ? " " : " \t ")
                text += Bool.random(using: &generator) ? "\n" : " # why\n\n"
            }
            let read = try EndpointsFile.parse(text)
            #expect(read == set, "\(SimulationSeeds.replay(seed))")
        }
    }

    /// Bytes of the alphabet that the format knows, at random: an error or a set, and no crash.
    @Test func randomText_isReadOrRefused() {
        let alphabet = Array("a1:[]=# \n\r\twzr.é%-_0weight=zone=region=:80")
        var accepted = 0
        for seed in SimulationSeeds.first(10_000) {
            var generator = SeededGenerator(seed: seed)
            let text = String(
                (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
                })
            do {
                accepted += try EndpointsFile.parse(text).count
            } catch {
                let lines = error.message.split(separator: "\n", omittingEmptySubsequences: false)
                #expect(
                    lines.allSatisfy { $0.hasPrefix("endpoints:") },
                    "\(error.message), \(SimulationSeeds.replay(seed))")
            }
        }
        #expect(accepted > 0)
    }
}

extension EndpointSet {
    /// A few endpoints out of a small world, so that sets have some in common.
    static func random(_ generator: inout SeededGenerator) -> EndpointSet {
        let zones: [String?] = [nil, "a", "b"]
        return EndpointSet(
            (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                DiscoveredEndpoint(
                    address: UpstreamAddress(
                        host: "node-\(Int.random(in: 0..<10, using: &generator))", port: 8501),
                    weight: Int.random(in: 1...2, using: &generator),
                    locality: Locality(
                        region: zones[Int.random(in: 0..<3, using: &generator)],
                        zone: zones[Int.random(in: 0..<3, using: &generator)]))
            })
    }
}
