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
    private let redis: RedisClient

    /// Shares answers through servers.
    init(_ redis: RedisClient) {
        self.redis = redis
    }

    /// Looks for an answer.
    ///
    /// - Parameters:
    ///   - key: what is asked for.
    ///   - versions: what endpoints serve of the model; see
    ///     ``ModelVersionLedger/fingerprint(of:)``.
    ///   - completion: takes the answer and its age, or `nil`, within the client's limits of time.
    func find(
        _ key: CacheKey, versions: String,
        completion: @escaping @Sendable ((answer: HTTPResponse, age: Duration)?) -> Void
    ) {
        let name = SharedAnswers.name(key, versions: versions)
        redis.send(RedisCommand("GET", key: name)) { result in
            guard case .success(let reply) = result, let bytes = reply.bytes,
                let (answer, storedAt) = AnswerCoding.decode(bytes)
            else {
                completion(nil)
                return
            }
            completion((answer, .seconds(max(SharedAnswers.now - storedAt, 0))))
        }
    }

    /// Keeps an answer for a time; whether that works out changes nothing.
    func keep(_ answer: HTTPResponse, for key: CacheKey, versions: String, life: Duration) {
        let name = SharedAnswers.name(key, versions: versions)
        let value = AnswerCoding.encode(answer, storedAt: SharedAnswers.now)
        let milliseconds = max(1, Int64((life.seconds * 1000).rounded()))
        redis.send(
            RedisCommand(
                "SET", key: name, value, Array("PX".utf8), Array(String(milliseconds).utf8))
        ) { _ in }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    private static func name(_ key: CacheKey, versions: String) -> [UInt8] {
        let digest = SHA256.hash(data: key.bytes + Array(versions.utf8))
        return Array("martlet:1:".utf8)
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
