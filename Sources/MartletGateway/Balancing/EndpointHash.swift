extension EndpointID {
    /// A number that is the same for the same address and seed in every process: FNV-1a over the
    /// address, then the finishing steps of SplitMix64.
    ///
    /// `Hasher` would do, but differs from run to run.
    func hash(seed: UInt64) -> UInt64 {
        var hash = 0xcbf2_9ce4_8422_2325 ^ seed
        for byte in address.utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        }
        return SplitMix.finished(hash)
    }
}
