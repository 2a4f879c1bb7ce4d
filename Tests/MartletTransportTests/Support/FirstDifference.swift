/// Where bytes are not those expected, in words; `nil` where they are.
///
/// For long ones: of arrays that are not equal, `#expect` looks for the fewest changes from one to
/// the other, for which a million bytes against a hundred take it days.
func firstDifference(_ bytes: [UInt8], from expected: [UInt8]) -> String? {
    guard bytes != expected else { return nil }
    let counts = "\(bytes.count) bytes, not \(expected.count)"
    let place = bytes.indices.prefix(expected.count).first { bytes[$0] != expected[$0] }
    guard let place else { return counts }
    return "byte \(place) is \(bytes[place]), not \(expected[place]); \(counts)"
}
