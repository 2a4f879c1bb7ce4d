/// Numbers made of texts, equal on every machine and at every start, so that choices by them are.
///
/// `Hasher` differs from run to run. FNV-1a over the bytes, then the finishing steps of SplitMix64,
/// which spread keys that differ in their last byte only. It guards against nothing: whoever may
/// choose the key may choose the number.
enum StableHash {
    /// The number of a text.
    static func hash(_ text: String, seed: UInt64 = 0) -> UInt64 {
        hash(text.utf8, seed: seed)
    }

    /// The number of some bytes.
    static func hash(_ bytes: some Sequence<UInt8>, seed: UInt64 = 0) -> UInt64 {
        var hash = 0xcbf2_9ce4_8422_2325 ^ seed
        for byte in bytes {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        }
        return mixed(hash)
    }

    /// Another number that looks nothing like the first.
    static func mixed(_ number: UInt64) -> UInt64 {
        var hash = number
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        return hash ^ (hash >> 31)
    }

    /// A number as a share, from 0 (included) to 1 (not included).
    static func share(_ hash: UInt64) -> Double {
        Double(hash >> 11) * 0x1p-53
    }
}

/// Chooses among a few things by weight.
struct WeightedChoice: Sendable {
    /// The sums of the weights up to each.
    private let sums: [UInt64]

    /// Makes the choice ready; weights below 0 count as 0.
    init(weights: [Int]) {
        var sum: UInt64 = 0
        sums = weights.map { weight in
            let (total, overflow) = sum.addingReportingOverflow(UInt64(max(weight, 0)))
            sum = overflow ? .max : total
            return sum
        }
    }

    /// The index that a random number, or the hash of a key, stands for; nil if nothing weighs.
    func index(of hash: UInt64) -> Int? {
        guard let total = sums.last, total > 0 else { return nil }
        let point = hash.multipliedFullWidth(by: total).high
        return sums.firstIndex { point < $0 }
    }
}
