import Foundation
import MartletConfiguration

/// `nodes.tls`: how the gateway and the nodes of a cluster speak to each other.
enum ClusterNodeTLS: Sendable, Equatable {
    /// `false`: in the clear.
    case off
    /// `true`: by mutual TLS, with certificates made anew at each start.
    case own
    /// A folder: by mutual TLS, with the certificates in it.
    case folder(String)

    fileprivate static let meaning = "true, false, or a folder of certificates"
}

extension ClusterConfigurationReader {
    /// Reads `nodes.tls`; off if it is absent or wrong.
    mutating func nodeTLS(_ section: ConfigurationSection) -> ClusterNodeTLS {
        guard let text = section.text("tls", ClusterNodeTLS.meaning, problems: &problems) else {
            return .off
        }
        switch section["tls"]?.plainText {
        case "true": return .own
        case "false": return .off
        default: break
        }
        let folder = absolute(text)
        let missing = ClusterCertificates.names.filter { !isReadable("\(folder)/\($0)") }
        guard !missing.isEmpty else { return .folder(folder) }
        problems.add(
            line: section["tls"]?.line, section["tls"]?.keyPath ?? "",
            "there is no \(missing.map { "'\($0)'" }.joined(separator: ", ")) that can be read in "
                + "'\(folder)'; expected \(ClusterNodeTLS.meaning) made by 'martlet certs'")
        return .off
    }

    /// Reads `gateway.policy`; none if it is absent or wrong.
    mutating func policy(_ section: ConfigurationSection) -> String? {
        let meaning = "the path of the gateway's policy"
        guard let text = section.text("policy", meaning, problems: &problems) else { return nil }
        let file = absolute(text)
        guard !isReadable(file) else { return file }
        problems.add(
            line: section["policy"]?.line, section["policy"]?.keyPath ?? "",
            "there is no file at '\(file)' that can be read; create it or correct the path, "
                + "which is relative to the configuration file")
        return nil
    }
}
