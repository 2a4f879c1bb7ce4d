/// A hash under a secret seed, so that nobody outside can tell which keys collide.
///
/// Each word goes through the finishing steps of SplitMix64 (Steele, Lea, Flood, 2014). It spreads
/// keys over counters; which keys are equal is decided by comparing them. `Hasher` would do, but
/// differs from run to run.
struct SeededHash: Sendable {
    /// The hash of all words so far.
    private(set) var value: UInt64

    /// Starts a hash; what follows from one seed says nothing of another.
    init(seed: UInt64) { value = SeededHash.mix(seed) }

    /// Takes a word in.
    mutating func combine(_ word: UInt64) { value = SeededHash.mix(value ^ word) }

    /// Takes bytes in, and how many they are.
    mutating func combine(_ bytes: [UInt8]) {
        combine(UInt64(bytes.count))
        var (word, filled) = (UInt64(0), 0)
        for byte in bytes {
            word = word << 8 | UInt64(byte)
            filled += 1
            guard filled == 8 else { continue }
            combine(word)
            (word, filled) = (0, 0)
        }
        if filled > 0 { combine(word) }
    }

    /// Spreads every bit of a word over the whole of it; different words stay different.
    static func mix(_ word: UInt64) -> UInt64 {
        var mixed = word &+ 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
