import MartletTestKit

/// How the same bytes may come in: networks cut them where they like.
enum Cuts {
    /// Some ways to cut bytes: each byte alone, pieces of any size, and whole lines.
    static func some(of bytes: [UInt8]) -> [[ArraySlice<UInt8>]] {
        var random = generator(for: bytes)
        return [
            pieces(of: bytes) { 1 }, pieces(of: bytes) { .random(in: 1..<80, using: &random) },
            lines(of: bytes) { .random(in: 1..<5, using: &random) },
        ]
    }

    /// Bytes in as many lines at once as `count` says.
    private static func lines(of bytes: [UInt8], count: () -> Int) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var start = 0
        var left = count()
        for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") {
            left -= 1
            guard left == 0 else { continue }
            pieces.append(bytes[start...index])
            start = index + 1
            left = count()
        }
        pieces.append(bytes[start...])
        return pieces
    }

    /// Bytes in pieces of the sizes that `size` says.
    static func pieces(of bytes: [UInt8], size: () -> Int) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            pieces.append(rest.prefix(size()))
            rest = rest.dropFirst(pieces.last?.count ?? rest.count)
        }
        return pieces
    }

    /// Choices that are the same whenever the bytes are, so that a finding can be repeated from its
    /// bytes alone (the hash is FNV-1a).
    static func generator(for bytes: [UInt8]) -> SeededGenerator {
        SeededGenerator(
            seed: bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
    }
}
