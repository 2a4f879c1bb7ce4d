import NIOCore

/// Says of a connection's requests which of them asks the upstream for a load report: one in an
/// interval, of all connections and event loops together.
///
/// A request that need not ask costs a comparison.
struct LoadReportTurn {
    private let upstream: SharedUpstream
    /// When to look again; `nil` for at once.
    private var next: ContinuousClock.Instant?

    /// What is configured may change meanwhile.
    private static let pauseMax = Duration.seconds(1)

    init(of upstream: SharedUpstream) {
        self.upstream = upstream
    }

    /// Whether the request of an attempt that began then asks.
    mutating func has(attemptAt start: ContinuousClock.Instant?) -> Bool {
        guard let start else { return false }
        if let next, start < next { return false }
        let turn = upstream.takeReportTurn(now: start)
        next = min(turn.next, start + LoadReportTurn.pauseMax)
        return turn.isTaken
    }
}

extension ByteBuffer {
    /// Takes the load report out of the lines of trailers, if there is one.
    mutating func takeLoadReport() -> LoadReading? {
        var load = LoadReportFields()
        var others = ByteBuffer()
        var hasAny = false
        withUnsafeReadableBytes { bytes in
            var position = 0
            var start = 0
            while let field = HTTP1Head.field(bytes, at: &position) {
                let name = bytes.text(field.name).lowercased()
                if load.take(name, bytes.text(field.value)) {
                    hasAny = true
                } else {
                    others.writeBytes(bytes[start..<position])
                }
                start = position
            }
        }
        if hasAny { self = others }
        return load.reading
    }
}
