import Foundation
import MartletConfiguration

@testable import MartletGateway

/// Reads a policy as if every file in it were there, but for those called missing.
func readPolicy(_ text: String) throws -> TrafficPolicy.Reading {
    try TrafficPolicy.parse(text, file: "/etc/martlet/gateway.yaml") { !$0.hasSuffix("missing") }
}

/// What is told of a policy that cannot be read, without the file's name.
func faults(of text: String) -> [String] {
    do {
        _ = try readPolicy(text)
        return []
    } catch let error as ConfigurationError {
        return error.messages.map { $0.replacing("/etc/martlet/gateway.yaml:", with: "") }
    } catch {
        return ["\(error)"]
    }
}

/// The text of a file of this repository.
func repositoryFile(_ path: String) throws -> String {
    // The tests may be reached by a link.
    let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
}

/// Header fields of a test.
struct Fields: RouteFields {
    var values: [String: String] = [:]

    func first(_ name: String) -> String? { values[name.lowercased()] }
}
