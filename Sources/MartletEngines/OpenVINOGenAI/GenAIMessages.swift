internal import Foundation
import MartletCore

/// What a node tells a worker of OpenVINO GenAI; one line of JSON each.
enum GenAICommand: Sendable, Equatable {
    /// Begin a request.
    case submit(GenAISubmission)
    /// Let go of a request.
    case cancel(GenerationID)

    /// The line.
    func line() throws -> [UInt8] {
        let encoder = JSONEncoder()
        let data =
            switch self {
            case .submit(let submission): try encoder.encode(["submit": submission])
            case .cancel(let id): try encoder.encode(["cancel": id.number])
            }
        return [UInt8](data) + [UInt8(ascii: "\n")]
    }
}

/// A request in the engine's terms.
struct GenAISubmission: Sendable, Equatable, Encodable {
    let id: UInt64
    let prompt: [TokenID]
    /// Most tokens to generate.
    let tokens: Int
    /// Tokens that end the text.
    let ends: [TokenID]
    let ignoresEnds: Bool
    let logprobs: Bool
    let temperature: Double
    let topP: Double
    let topK: Int
    let minP: Double
    let repetitionPenalty: Double
    let frequencyPenalty: Double
    let presencePenalty: Double
    let seed: UInt32

    /// The engine refuses less than that for `top_p`, and what is not less than 1 for `min_p`.
    private static let topPMin = 1e-6
    private static let minPMax = 0.999_999

    init(_ sequence: ScheduledSequence, endTokens: [TokenID]) {
        let request = sequence.request
        let sampling = request.sampling
        id = sequence.id.number
        prompt = sequence.tokens
        tokens = sequence.newTokensMax
        ends = (request.ignoresEndTokens ? [] : endTokens) + request.stopTokens
        ignoresEnds = request.ignoresEndTokens
        logprobs = sampling.logprobs != nil
        temperature = sampling.isDeterministic ? 0 : sampling.temperature
        topP = max(sampling.topP, Self.topPMin)
        topK = sampling.topK
        minP = min(sampling.minP, Self.minPMax)
        repetitionPenalty = sampling.repetitionPenalty
        frequencyPenalty = sampling.frequencyPenalty
        presencePenalty = sampling.presencePenalty
        let seed = sampling.seed ?? .random(in: 0...UInt64.max)
        self.seed = UInt32(truncatingIfNeeded: seed ^ (seed >> 32))
    }
}

/// What a worker tells the node.
enum GenAIMessage: Sendable, Equatable {
    /// It has loaded the model.
    case ready(protocolNumber: Int, version: String)
    /// What a step made, and how full the KV memory is, 0 to 1.
    case step([GenAIResult], cacheUsage: Double)
    /// The engine does not take a request.
    case refused(GenerationID, String)
    /// The engine made of a request what cannot be told; it has let go of it.
    case failed(GenerationID, String)
    /// The worker ends.
    case fatal(String)

    /// Reads a line without its end.
    ///
    /// - Throws: `ServingError` (`INTERNAL`) for one that is none of these.
    init(line: [UInt8]) throws {
        do {
            let fields = try JSONDecoder().decode(Fields.self, from: Data(line))
            guard let message = GenAIMessage(fields) else { throw GenAIMessage.unknown(line) }
            self = message
        } catch is DecodingError {
            throw GenAIMessage.unknown(line)
        }
    }

    private init?(_ fields: Fields) {
        if let step = fields.step {
            self = .step(step, cacheUsage: fields.cache ?? 0)
        } else if let ready = fields.ready {
            self = .ready(protocolNumber: ready.protocolNumber, version: ready.version)
        } else if let refused = fields.refused {
            self = .refused(refused.id, refused.reason)
        } else if let failed = fields.failed {
            self = .failed(failed.id, failed.reason)
        } else if let fatal = fields.fatal {
            self = .fatal(fatal)
        } else {
            return nil
        }
    }

    private static func unknown(_ line: [UInt8]) -> ServingError {
        ServingError(
            .internal,
            "The worker said what it should not: "
                + String(decoding: line.prefix(80), as: UTF8.self))
    }

    private struct Fields: Decodable {
        struct Ready: Decodable {
            let protocolNumber: Int
            let version: String

            enum CodingKeys: String, CodingKey {
                case protocolNumber = "protocol"
                case version
            }
        }

        struct Verdict: Decodable {
            let id: GenerationID
            let reason: String

            init(from decoder: any Decoder) throws {
                var list = try decoder.unkeyedContainer()
                id = GenerationID(number: try list.decode(UInt64.self))
                reason = try list.decode(String.self)
            }
        }

        let ready: Ready?
        let step: [GenAIResult]?
        let cache: Double?
        let refused: Verdict?
        let failed: Verdict?
        let fatal: String?
    }
}

/// What a step made of one sequence.
struct GenAIResult: Sendable, Equatable, Decodable {
    /// Why the engine ended a sequence.
    enum End: String, Sendable, Decodable {
        /// One of its end tokens, which is the last.
        case stop
        /// It has as many tokens as it may have.
        case length
        /// The KV memory has no room for it.
        case full
    }

    let id: GenerationID
    let tokens: [TokenID]
    /// Natural logarithms of the tokens' probabilities; fewer where they were not asked for.
    let logprobs: [Float]
    /// `nil` while it goes on.
    let end: End?

    init(id: GenerationID, tokens: [TokenID], logprobs: [Float] = [], end: End? = nil) {
        self.id = id
        self.tokens = tokens
        self.logprobs = logprobs
        self.end = end
    }

    init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        id = GenerationID(number: try list.decode(UInt64.self))
        tokens = try list.decode([TokenID].self)
        logprobs = try list.decode([Float].self)
        end = try list.decodeIfPresent(End.self)
    }
}

/// Puts lines together out of pieces; no line is longer than a bound.
struct LineAssembler: Sendable {
    private let bytesMax: Int
    private var rest: [UInt8] = []

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Takes a piece in.
    ///
    /// - Returns: the lines that are whole, without their ends; `nil` once a line is too long.
    mutating func take(_ piece: some Sequence<UInt8>) -> [[UInt8]]? {
        rest += piece
        var lines: [[UInt8]] = []
        var start = rest.startIndex
        while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(Array(rest[start..<end]))
            start = end + 1
        }
        rest.removeFirst(start)
        return rest.count > bytesMax ? nil : lines
    }
}
