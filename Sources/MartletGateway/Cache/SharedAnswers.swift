internal import Crypto
internal import Foundation
import MartletConfiguration
import MartletCore
import MartletTransport

/// Answers that gateways share through Redis.
///
/// A key is the digest of all that an answer depends on, the tenant and the versions that each
/// endpoint serves of the model among it: with a new version nothing that was kept before is found,
/// by no gateway that knows of it. An outage is a miss: slower, never wrong.
final class SharedAnswers: Sendable {
    /// Sends a command, and calls back once.
    typealias Send =
        @Sendable (
            RedisCommand, @escaping @Sendable (Result<RedisReply, RedisFailure>) -> Void
        ) -> Void

    /// An answer that a gateway has kept.
    struct Found: Sendable {
        let answer: HTTPResponse
        /// How long ago a node gave it.
        let age: Duration
        /// How long it stays fresh; more than zero.
        let left: Duration
    }

    /// By how much the clock of another gateway may be ahead: an answer from further in the future
    /// is not taken, since its age is not known.
    static let clockAheadMax = Duration.seconds(1)

    private let send: Send
    private let clock: @Sendable () -> Duration

    /// Shares answers through servers.
    convenience init(_ redis: RedisClient) {
        self.init(clock: { .sinceUnixEpoch }, send: { redis.send($0, on: $1) })
    }

    /// Shares answers through whoever takes commands.
    ///
    /// - Parameters:
    ///   - clock: the time since 1970, of which all gateways have the same, about.
    ///   - send: sends commands.
    init(clock: @escaping @Sendable () -> Duration, send: @escaping Send) {
        self.clock = clock
        self.send = send
    }

    /// Looks for an answer.
    ///
    /// - Parameters:
    ///   - key: what is asked for.
    ///   - versions: what endpoints serve of the model; see
    ///     ``ModelVersionLedger/fingerprint(of:in:)``.
    ///   - completion: takes the answer, or `nil`, within the client's limits of time.
    func find(
        _ key: CacheKey, versions: String, completion: @escaping @Sendable (Found?) -> Void
    ) {
        let name = SharedAnswers.name(key, versions: versions)
        send(RedisCommand("GET", key: name)) { [clock] result in
            guard case .success(let reply) = result, let bytes = reply.bytes,
                let kept = AnswerCoding.decode(bytes)
            else {
                completion(nil)
                return
            }
            let age = clock() - kept.storedAt
            let left = kept.life - max(age, .zero)
            guard age >= .zero - SharedAnswers.clockAheadMax, left > .zero else {
                completion(nil)
                return
            }
            completion(Found(answer: kept.answer, age: max(age, .zero), left: left))
        }
    }

    /// Keeps an answer for a time; whether that works out changes nothing.
    func keep(_ answer: HTTPResponse, for key: CacheKey, versions: String, life: Duration) {
        let name = SharedAnswers.name(key, versions: versions)
        let milliseconds = max(1, Int64((life.seconds * 1000).rounded()))
        let value = AnswerCoding.encode(
            AnswerCoding.Kept(
                answer: answer, storedAt: clock(), life: .milliseconds(milliseconds)))
        send(
            RedisCommand(
                "SET", key: name, value, Array("PX".utf8), Array(String(milliseconds).utf8))
        ) { _ in }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func name(_ key: CacheKey, versions: String) -> [UInt8] {
        let digest = SHA256.hash(data: key.bytes + Array(versions.utf8))
        // 2: with the pool in the key, and the life in the answer.
        return Array("martlet:2:".utf8)
            + digest.flatMap { byte in
                [SharedAnswers.digits[Int(byte >> 4)], SharedAnswers.digits[Int(byte & 15)]]
            }
    }
}

extension RedisConfiguration {
    /// What the policy says.
    ///
    /// - Throws: `ConfigurationError` for a password's file that cannot be read.
    init(_ settings: TrafficPolicy.Redis) throws {
        self.init(
            addresses: settings.addresses.map { RedisAddress(host: $0.host, port: $0.port) })
        isCluster = settings.isCluster
        commandTimeout = settings.timeout
        if let file = settings.passwordFile {
            let text = try ConfigurationFile.text(of: file, bytesMax: 4096)
            credentials = RedisCredentials(
                username: settings.username,
                password: text.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        if settings.usesTLS { tls = ClientTLS() }
    }
}
