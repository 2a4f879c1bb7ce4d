import Foundation
import MartletConfiguration
import MartletCore

/// Understands arguments as `tensorflow_model_server` does.
///
/// Every flag comes out as `--flag=value`, for ArgumentParser to read; an empty value stands alone.
struct ModelServerArguments {
    /// Flags that need a value, without dashes.
    var valued = ModelServerFlagNames.valued.union(ModelServerExtras.valued)
    /// Flags that are true or false, without dashes.
    var switches = ModelServerFlagNames.switches.union(ModelServerExtras.switches)
    /// Flags without a value, which are passed on as they are.
    var plain: Set<String> = ["help"]

    /// Puts arguments into one form.
    ///
    /// - Parameter arguments: what stands behind the name of the program.
    /// - Returns: each flag and its value as one argument, or as two if the value is empty.
    /// - Throws: `ServingError` `INVALID_ARGUMENT` for a flag that is unknown or lacks its value.
    func normalized(_ arguments: [String]) throws -> [String] {
        var result: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "-h" {
                result.append("--help")
                continue
            }
            guard argument.hasPrefix("--"), argument != "--" else {
                throw ServingError.invalidArgument("unknown argument: \(argument)")
            }
            let parts = argument.dropFirst(2)
                .split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            let value = parts.count > 1 ? String(parts[1]) : nil
            if switches.contains(name) {
                let next = value == nil ? rest.first.flatMap(Self.truth) : nil
                if next != nil { rest.removeFirst() }
                let isOn = try value.map { try truth($0, of: name) } ?? next ?? true
                result.append("--\(name)=\(isOn)")
            } else if valued.contains(name) {
                guard let given = value ?? rest.popFirst() else {
                    throw ServingError.invalidArgument("--\(name) needs a value: --\(name)=VALUE")
                }
                // ArgumentParser knows no empty value behind `=`, nor a dash that begins an
                // argument.
                result += given.isEmpty ? ["--\(name)", ""] : ["--\(name)=\(given)"]
            } else if plain.contains(name), value == nil {
                result.append(argument)
            } else {
                throw unknown(argument, name: name)
            }
        }
        return result
    }

    private func truth(_ text: String, of name: String) throws -> Bool {
        guard let truth = Self.truth(text) else {
            throw ServingError.invalidArgument(
                "Couldn't interpret value \(text) for flag \(name); use true or false")
        }
        return truth
    }

    private func unknown(_ argument: String, name: String) -> ServingError {
        let known = valued.union(switches).union(plain)
        // The dashes of other programs are the mistake made most often.
        let underscored = name.replacingOccurrences(of: "-", with: "_")
        let nearest =
            known.contains(underscored)
            ? underscored : nearestMatch(to: underscored, among: known.sorted())
        let hint = nearest.map { "; did you mean --\($0)?" } ?? ""
        return .invalidArgument("unknown argument: \(argument)\(hint)")
    }

    private static func truth(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }
}
