import MartletCore

extension HTTPResponse {
    /// The body, decompressed where it is compressed; `nil` where that cannot be done, or it is
    /// longer than `bytesMax`.
    public func plainBody(bytesMax: Int) -> [UInt8]? {
        guard let coding = ContentCoding(field: headers.first("content-encoding")) else {
            return nil
        }
        guard coding != .identity else { return body }
        let limits = DecompressionLimits(bytesMax: bytesMax, ratioMax: .max)
        guard let inflater = try? Inflater(coding, limits: limits) else { return nil }
        var plain: [UInt8] = []
        let isGood = body.withUnsafeBytes { (try? inflater.append($0, to: &plain)) != nil }
        return isGood && inflater.isComplete ? plain : nil
    }
}
