/// A text that OpenVINO gives for a failure: the places in its sources that it went through, each
/// with what was checked there, and somewhere among them what is wrong.
struct OpenVINOMessage {
    /// Most characters that are passed on.
    static let maximumLength = 400

    /// What is wrong, in one line.
    let summary: String

    init(_ text: String) {
        let lines = text.split(whereSeparator: \.isNewline)
            .map { OpenVINOMessage.trimmed($0) }
            .filter { line in
                !line.isEmpty && !line.hasPrefix("Exception from")
                    && !line.hasPrefix("While validating node")
                    && !line.hasPrefix("FrontEnd API failed with")
            }
            .map { OpenVINOMessage.withoutCheck($0) }
            .filter { !$0.isEmpty }
        let whole = lines.joined(separator: " ")
        summary =
            whole.count <= OpenVINOMessage.maximumLength
            ? whole : whole.prefix(OpenVINOMessage.maximumLength) + "..."
    }

    private static func trimmed(_ line: Substring) -> Substring {
        line.drop(while: \.isWhitespace)
    }

    /// The line without "Check '...' failed at FILE:LINE:" where that is all it says.
    private static func withoutCheck(_ line: Substring) -> Substring {
        guard line.hasPrefix("Check '"), line.last == ":" else { return line }
        return ""
    }
}
