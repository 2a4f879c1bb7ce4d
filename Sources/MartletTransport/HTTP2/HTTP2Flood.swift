public import MartletTelemetry

/// What a client did so often, or so large, that its HTTP/2 connection was ended.
///
/// The raw values are labels of metrics.
public enum HTTP2Flood: String, Sendable, Hashable, CaseIterable {
    /// It reset streams before it had their answers ("rapid reset").
    case resets
    /// PING, SETTINGS, PRIORITY and frames of no known use.
    case controlFrames = "control_frames"
    /// It did not read the answers to control frames.
    case unreadAnswers = "unread_answers"
    /// DATA without data.
    case emptyData = "empty_data"
    /// It opened windows by a few bytes.
    case smallWindows = "small_windows"
    /// DATA of a few bytes, or windows opened by them while nothing waits.
    case tinyFrames = "tiny_frames"
    /// It broke rules on stream after stream.
    case brokenStreams = "broken_streams"
    /// A header block, or its list, was too large, or came in too many frames.
    case headerBlocks = "header_blocks"
    /// A frame had too many settings.
    case settings
}

/// Counts connections that were ended for a flood.
public struct HTTP2FloodCounters: Sendable {
    private let counters: [HTTP2Flood: Counter]

    /// Adds all counters to a registry: none is missing before the first flood.
    public init(in metrics: MetricsRegistry) {
        let family = metrics.counterFamily(
            "martlet_http2_floods_total",
            help: "HTTP/2 connections ended by the server for a flood, by what came too often.",
            labelNames: ["kind"])
        counters = Dictionary(
            uniqueKeysWithValues: HTTP2Flood.allCases.map { ($0, family.with($0.rawValue)) })
    }

    /// Counts a flood.
    public func count(_ flood: HTTP2Flood) { counters[flood]?.increment() }
}
