extension GGUFHyperparameters {
    /// Refuses a model whose vectors have fewer numbers than it says.
    ///
    /// An engine reads as many as are stated, and ends the process where they are not there.
    ///
    /// - Throws: `GGUFFault` that names the key.
    func checkVectors(_ parts: GGUFParts, architecture: String) throws {
        func count(_ key: String, limit: Int = embeddingLength) throws -> Int {
            try parts.metadata.count("\(architecture).\(key)", limit: limit) ?? 0
        }
        let stated = try count("embedding_length_out")
        let first = (
            input: try count("dense_2_feat_in"),
            output: try count("dense_2_feat_out", limit: GGUFHyperparameters.sizeMax)
        )
        let second = (
            input: try count("dense_3_feat_in", limit: GGUFHyperparameters.sizeMax),
            output: try count("dense_3_feat_out")
        )
        let needed = stated > 0 ? stated : embeddingLength
        let last = second.output > 0 ? second.output : first.output
        let ends = [0, embeddingLength]
        let isSound =
            ends.contains(first.input) && ends.contains(second.output)
            && (second.input == 0 || second.input == first.output)
            && (last == 0 || last >= needed)
        guard isSound else {
            throw GGUFFault.unsound(
                "its vectors of \(embeddingLength) numbers cannot become \(needed) through layers "
                    + "of \(first.input) to \(first.output) and \(second.input) to "
                    + "\(second.output)")
        }
        if ranks { try checkRanking(parts, architecture: architecture) }
    }

    /// Without a head, a vector itself has to hold a number for each label.
    private func checkRanking(_ parts: GGUFParts, architecture: String) throws {
        let key = "\(architecture).classifier.output_labels"
        let labels = try parts.metadata.list(key)?.count ?? 1
        let hasHead = parts.tensors.contains { $0.name == "cls.output.weight" }
        guard hasHead || labels <= embeddingLength else {
            throw GGUFFault.unsound(
                "key '\(key.shown)' has \(labels) labels, and no tensor 'cls.output.weight' gives "
                    + "a number for each")
        }
    }
}
