internal import Crypto
import MartletTransport

/// How gateways tell Redis of a quota and learn how it stands: one script on one key, so that
/// servers of a Redis Cluster can run it, which Redis does at once or not at all.
///
/// The key is a hash. Its field `full` is the instant at which the bucket of all is full, in
/// microseconds of the server's clock; each gateway with requests under way has a field besides,
/// with their number and the instant from which on they do not count. It expires when it tells
/// nothing any more: a bucket that is full knows nothing that a new one would not.
struct QuotaScript: Sendable {
    /// The name of this gateway among the others, of letters and digits; not `full`.
    let gateway: String
    let configuration: QuotaExchange.Configuration

    /// Tells of a quota.
    func command(_ report: QuotaReport) -> RedisCommand {
        let rate = report.limits.rate
        let most = rate.map { microseconds(configuration.timeToFullMax($0)) } ?? 0
        let cost = rate.map { microseconds($0.interval * report.tokens) } ?? 0
        // An interval more, for the way to the server: see ``QuotaExchange``.
        let age = microseconds(max(.zero, report.sentAt - report.since) + configuration.interval)
        let life = max(1, microseconds(configuration.inFlightLife))
        let arguments = [
            gateway, String(cost), String(age), String(most),
            report.inFlight.map { String(max(0, $0)) } ?? "", String(life),
        ]
        return RedisCommand(
            QuotaScript.script, keys: [QuotaScript.key(of: report.quota)],
            arguments: arguments.map { Array($0.utf8) })
    }

    /// What the server answers; nil if that makes no sense.
    func standing(_ reply: RedisReply) -> QuotaStanding? {
        guard let numbers = reply.elements?.map(\.integer), numbers.count == 3,
            let toFull = numbers[0], let inFlight = numbers[1], let gateways = numbers[2],
            toFull >= 0, inFlight >= 0, gateways >= 1
        else { return nil }
        return QuotaStanding(
            timeToFull: .microseconds(toFull), inFlightElsewhere: Int(clamping: inFlight),
            gateways: Int(clamping: gateways))
    }

    /// The key of a quota: a digest, so that it has a bounded length and names nobody.
    static func key(of quota: SharedQuota) -> [UInt8] {
        var names = [quota.pool, quota.key.key, quota.key.model]
        if quota.key.unit != .requests { names.append(quota.key.unit.rawValue) }
        // With their lengths, no names can be taken for others.
        let text = names.map { "\($0.utf8.count):\($0)" }.joined()
        let digest = SHA256.hash(data: Array(text.utf8)).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        return Array("martlet:quota:1:\(digest.joined())".utf8)
    }

    /// Whole microseconds, within the numbers that Lua tells apart even when the time of day is
    /// added.
    private func microseconds(_ duration: Duration) -> Int64 {
        let bound = Duration.seconds(1_000_000_000)
        let (seconds, attoseconds) = min(max(duration, .zero - bound), bound).components
        let fraction = (Double(attoseconds) / 1e12).rounded()
        return seconds * 1_000_000 + Int64(fraction)
    }

    static let script = RedisScript(
        """
        local key, gateway, flight = KEYS[1], ARGV[1], ARGV[5]
        local cost, age, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
        local life = tonumber(ARGV[6])
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local function digits(number) return string.format('%.0f', number) end
        local toFull, elsewhere, gateways = 0, 0, 1
        if most > 0 then
          local full = tonumber(redis.call('HGET', key, 'full') or '') or 0
          full = math.min(math.max(full, now - age) + cost, now + most)
          redis.call('HSET', key, 'full', digits(full))
          toFull = math.max(0, full - now)
        end
        if flight ~= '' then
          if flight == '0' then
            redis.call('HDEL', key, gateway)
          else
            redis.call('HSET', key, gateway, flight .. ' ' .. digits(now + life))
          end
          local fields = redis.call('HGETALL', key)
          for i = 1, #fields, 2 do
            local count, ends = string.match(fields[i + 1], '^(%d+) (%d+)$')
            if count and fields[i] ~= gateway then
              if tonumber(ends) > now then
                elsewhere = elsewhere + tonumber(count)
                gateways = gateways + 1
              else
                redis.call('HDEL', key, fields[i])
              end
            end
          end
        end
        redis.call('PEXPIRE', key, digits(math.ceil(math.max(toFull, life) / 1000)))
        return {toFull, elsewhere, gateways}
        """)
}
