import Crypto
import Foundation
import MartletTestKit
import X509

@testable import MartletOperations

/// 2026-11-29 12:00:00 UTC.
let noon = Date(timeIntervalSince1970: 1_795_953_600)

func days(_ count: Double) -> TimeInterval { count * 86_400 }

/// A key made of a number, the same each time.
func signingKey(_ number: UInt8, _ curve: KeyCurve = .p256) throws -> SigningKey {
    switch curve {
    case .p256:
        let bytes = [UInt8](repeating: number, count: 32)
        return .p256(try P256.Signing.PrivateKey(rawRepresentation: bytes))
    case .p384:
        let bytes = [UInt8](repeating: number, count: 48)
        return .p384(try P384.Signing.PrivateKey(rawRepresentation: bytes))
    }
}

func testAuthority(
    _ name: String? = "Test", days: Int = 3650, curve: KeyCurve = .p256, key: UInt8 = 1,
    now: Date = noon
) throws -> CertificateAuthority {
    try CertificateAuthority.founded(
        name: name, days: days, key: try signingKey(key, curve),
        serial: Certificate.SerialNumber(0x4A_1B_2C_3D_4E), now: now)
}

func testNode(_ hosts: [String] = ["gateway.example"], days: Int = 397) throws -> CertificateProfile
{
    try .node(hosts: hosts, days: days, curve: .p256)
}

/// A folder that is gone with the test.
final class CertificateTestFolder {
    let path: String
    var authority: AuthorityFolder { AuthorityFolder(path: "\(path)/certs") }

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("certificates-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, _ name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }

    func read(_ name: String) throws -> String {
        String(
            decoding: try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")), as: UTF8.self)
    }
}
