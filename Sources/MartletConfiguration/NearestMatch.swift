/// The candidate most like a word, if it is so like it that it was probably meant.
///
/// At most a third of the word's letters, but always one, may differ.
public func nearestMatch(to word: String, among candidates: [String]) -> String? {
    let nearest = candidates.map { (word: $0, distance: editDistance(word, $0)) }
        .min { $0.distance < $1.distance }
    guard let nearest, nearest.distance <= max(word.count / 3, 1) else { return nil }
    return nearest.word
}

/// How many letters must be inserted, removed or replaced, or swapped with their neighbour, to make
/// one word the other.
///
/// Source: the optimal string alignment distance, F. J. Damerau, "A technique for computer
/// detection and correction of spelling errors", Communications of the ACM 7(3), 1964.
func editDistance(_ first: String, _ second: String) -> Int {
    let first = Array(first.prefix(256))
    let second = Array(second.prefix(256))
    // Distances between beginnings: two rows ago, one row ago.
    var earlier: [Int] = []
    var previous = Array(0...second.count)
    for (row, letter) in first.enumerated() {
        var current = [row + 1]
        for (column, other) in second.enumerated() {
            let replaced = previous[column] + (letter == other ? 0 : 1)
            var least = min(replaced, previous[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, letter == second[column - 1], first[row - 1] == other {
                least = min(least, earlier[column - 1] + 1)
            }
            current.append(least)
        }
        earlier = previous
        previous = current
    }
    return previous[second.count]
}
