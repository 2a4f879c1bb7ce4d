import Foundation
import MartletTestKit

@testable import MartletGateway

/// Requests for keys, which are numbers from 0, in order.
struct CacheLoad {
    let name: String
    let requests: [Int32]
    /// How many keys there are.
    let keys: Int
    /// What each key's answer weighs; nil if all weigh one.
    var weights: [Int]?

    /// The weight of a key's answer.
    func weight(of key: Int) -> Int { weights?[key] ?? 1 }

    /// The weight of all answers.
    var totalWeight: Int { weights?.reduce(0, +) ?? keys }
}

/// Draws keys by Zipf's law: the key of rank r is asked for in proportion to 1 / r^exponent.
struct ZipfDistribution {
    private var cumulative: [Double] = []

    init(keys: Int, exponent: Double) {
        cumulative.reserveCapacity(keys)
        var sum = 0.0
        for rank in 1...max(keys, 1) {
            sum += pow(Double(rank), -exponent)
            cumulative.append(sum)
        }
    }

    /// A key: its rank, from 0.
    func next(using generator: inout SeededGenerator) -> Int {
        let total = cumulative.last ?? 1
        let draw = Double(generator.next() >> 11) * 0x1p-53 * total
        var (low, high) = (0, cumulative.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if cumulative[middle] <= draw { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension CacheLoad {
    /// Keys whose popularity stays the same.
    static func zipf(keys: Int, requests: Int, seed: UInt64) -> CacheLoad {
        var generator = SeededGenerator(seed: seed)
        let zipf = ZipfDistribution(keys: keys, exponent: 0.99)
        return CacheLoad(
            name: "Zipf(0.99)",
            requests: (0..<requests).map { _ in Int32(zipf.next(using: &generator)) }, keys: keys)
    }

    /// The same, and time and again a scan of keys that nobody asks for before or after.
    static func scans(keys: Int, requests: Int, scan: Int, seed: UInt64) -> CacheLoad {
        var generator = SeededGenerator(seed: seed)
        let zipf = ZipfDistribution(keys: keys, exponent: 0.99)
        var all: [Int32] = []
        var fresh = keys
        while all.count < requests {
            for _ in 0..<scan { all.append(Int32(zipf.next(using: &generator))) }
            all += (fresh..<fresh + scan).map { Int32($0) }
            fresh += scan
        }
        return CacheLoad(name: "Zipf(0.99), half of it scans", requests: all, keys: fresh)
    }

    /// Keys whose popularity is dealt out anew, time and again.
    static func shifts(keys: Int, requests: Int, shifts: Int, seed: UInt64) -> CacheLoad {
        var generator = SeededGenerator(seed: seed)
        let zipf = ZipfDistribution(keys: keys, exponent: 0.99)
        let length = requests / max(shifts, 1)
        let all = (0..<requests).map { request in
            let start = request / max(length, 1) * (keys / 7)
            return Int32((zipf.next(using: &generator) + start) % keys)
        }
        return CacheLoad(
            name: "Zipf(0.99), other keys popular \(shifts) times", requests: all, keys: keys)
    }

    /// Each key is asked for four times within a short while, and then never again.
    static func bursts(keys: Int, span: Int, seed: UInt64) -> CacheLoad {
        var generator = SeededGenerator(seed: seed)
        var due: [(at: Int, key: Int32)] = []
        due.reserveCapacity(keys * 4)
        for key in 0..<keys {
            // One key begins every four requests.
            due.append((key * 4, Int32(key)))
            for _ in 0..<3 {
                due.append((key * 4 + Int.random(in: 1...span, using: &generator), Int32(key)))
            }
        }
        due.sort { ($0.at, $0.key) < ($1.at, $1.key) }
        return CacheLoad(name: "bursts of four", requests: due.map(\.key), keys: keys)
    }

    /// As Zipf, with answers from 200 bytes to 64 KiB, as evenly on a logarithmic scale.
    static func sizes(keys: Int, requests: Int, seed: UInt64) -> CacheLoad {
        var load = zipf(keys: keys, requests: requests, seed: seed)
        var generator = SeededGenerator(seed: ~seed)
        load.weights = (0..<keys).map { _ in
            Int(200 * pow(65_536.0 / 200, Double.random(in: 0...1, using: &generator)))
        }
        return CacheLoad(
            name: "Zipf(0.99), 200 B to 64 KiB", requests: load.requests, keys: keys,
            weights: load.weights)
    }
}
