import MartletCore
import MartletRepository
import MartletTransport

/// A file on a web server as a source of a pull.
///
/// It is read in one stream as long as nothing fails; then the rest is asked for (RFC 9110, section
/// 14), or, of a server that gives no parts, all of it again.
actor WebModelSource: ModelByteSource {
    private let url: ModelURL
    private let client: WebClient

    private struct Reading {
        let answer: ControlStream
        /// Bytes that came before what is read next.
        var place: Int
        /// What came and was not asked for yet.
        var rest: ArraySlice<UInt8> = []
    }

    private var reading: Reading?

    init(_ url: ModelURL, client: WebClient) {
        self.url = url
        self.client = client
    }

    /// The file's size and tag, as the beginning of an answer states them.
    func examine() async throws -> ModelOrigin {
        let answer = try await client.open(url)
        guard let bytes = answer.headers.first("content-length").flatMap({ Int($0) }) else {
            throw ServingError(
                .failedPrecondition, "\(url) does not say how large it is, so it is not pulled")
        }
        try checkPlain(answer)
        reading = Reading(answer: answer, place: 0)
        return ModelOrigin(
            location: url.description, byteCount: bytes, tag: WebModelSource.tag(answer))
    }

    /// Reads on, or begins anew at a place.
    func read(from place: Int, count: Int, of origin: ModelOrigin) async throws -> [UInt8] {
        var reading = self.reading
        self.reading = nil
        if reading?.place != place { reading = try await begin(at: place, of: origin) }
        guard var reading else { return [] }
        var bytes = Array(reading.rest.prefix(count))
        reading.rest = reading.rest.dropFirst(count)
        do {
            while bytes.count < count {
                guard let piece = try await reading.answer.next(within: client.timeout) else {
                    throw ServingError(.unavailable, "\(url) ended before it was whole")
                }
                let wanted = count - bytes.count
                bytes.append(contentsOf: piece.prefix(wanted))
                reading.rest = piece.dropFirst(wanted)
            }
            reading.place = place + bytes.count
            self.reading = reading
        } catch {
            // What came is kept; the next call asks for the rest.
            if bytes.isEmpty { throw error }
        }
        return bytes
    }

    private func begin(at place: Int, of origin: ModelOrigin) async throws -> Reading {
        let answer = try await client.open(url, from: place)
        try checkPlain(answer)
        guard WebModelSource.tag(answer) == origin.tag else {
            throw ServingError(.aborted, "\(url) changed while it was pulled")
        }
        guard answer.status == 206 else {
            return try await skipping(place, in: Reading(answer: answer, place: place))
        }
        let range = answer.headers.first("content-range") ?? ""
        guard range == "bytes \(place)-\(origin.byteCount - 1)/\(origin.byteCount)" else {
            throw ServingError(
                .aborted,
                "\(url) gave '\(range.prefix(64))' where all from byte \(place) on of "
                    + "\(origin.byteCount) was asked for")
        }
        return Reading(answer: answer, place: place)
    }

    private func skipping(_ count: Int, in reading: Reading) async throws -> Reading {
        var reading = reading
        var left = count
        while left > 0 {
            guard let piece = try await reading.answer.next(within: client.timeout) else {
                throw ServingError(.aborted, "\(url) is shorter than it was")
            }
            reading.rest = piece.dropFirst(left)
            left -= min(left, piece.count)
        }
        return reading
    }

    private func checkPlain(_ answer: ControlStream) throws {
        let coding = answer.headers.first("content-encoding") ?? "identity"
        guard coding.lowercased() == "identity" else {
            throw ServingError(
                .failedPrecondition, "\(url) comes as '\(coding.prefix(64))' only, not as it is")
        }
    }

    private static func tag(_ answer: ControlStream) -> String? {
        answer.headers.first("etag") ?? answer.headers.first("last-modified")
    }
}
