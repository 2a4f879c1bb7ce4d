/// Under what an answer is kept: everything that the answer depends on, and whose it is.
///
/// The tenant is part of it, so that no answer is ever found by another tenant. Names are compared
/// byte by byte: Swift's `String` takes two spellings of one accented letter as equal, and others
/// along the way may not.
struct CacheKey: Hashable, Sendable {
    /// Which version of the model a request asks for.
    enum Version: Hashable, Sendable {
        /// The greatest that is available. Resolve it to its number where that is known: then the
        /// answers stay found when a version is added that few ask for.
        case latest
        /// The one with this number.
        case number(Int64)
        /// The one that bears this label.
        case label(String)
    }

    /// Whose answer it is.
    let tenant: String
    /// The pool that it is from.
    let pool: String
    /// The model that gave it.
    let model: String
    /// What it was given.
    let input: InputDigest
    /// All but the input, written so that different parts never give the same bytes.
    private let identity: [UInt8]
    /// Made once, since a miss looks the key up several times.
    private let hashed: Int

    /// Makes a key.
    ///
    /// - Parameters:
    ///   - tenant: whose request it is.
    ///   - source: who answers, and what is changed in the request on its way there.
    ///   - model: the model's name.
    ///   - version: the version asked for.
    ///   - signature: the signature asked for; empty where the input names it, as REST bodies do.
    ///   - operation: the API and its method, and what else decides on the form of the answer, such
    ///     as its content coding.
    ///   - input: the digest of the input.
    init(
        tenant: String, source: AnswerSource, model: String, version: Version,
        signature: String = "", operation: String, input: InputDigest
    ) {
        self.tenant = tenant
        pool = source.pool
        self.model = model
        self.input = input
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            80 + tenant.utf8.count + source.pool.utf8.count + source.changes.count
                + model.utf8.count + signature.utf8.count + operation.utf8.count)
        bytes.append(part: tenant)
        bytes.append(part: source.pool)
        bytes.append(number: UInt64(source.changes.count))
        bytes += source.changes
        bytes.append(part: model)
        bytes.append(part: signature)
        bytes.append(part: operation)
        switch version {
        case .latest: bytes.append(0)
        case .number(let number):
            bytes.append(1)
            bytes.append(number: UInt64(bitPattern: number))
        case .label(let label):
            bytes.append(2)
            bytes.append(part: label)
        }
        identity = bytes
        var hasher = Hasher()
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        hasher.combine(input.words.first)
        hasher.combine(input.words.second)
        hashed = hasher.finalize()
    }

    /// All of the key as bytes, different for different keys.
    var bytes: [UInt8] {
        var bytes = identity
        bytes.append(input.form.rawValue)
        for word in [input.words.first, input.words.second, input.words.third, input.words.fourth] {
            bytes.append(number: word)
        }
        return bytes
    }

    /// Bytes of memory that the key's texts take, roughly.
    var textBytes: Int {
        identity.count + tenant.utf8.count + pool.utf8.count + model.utf8.count
    }

    /// A number that stands for the key in the admission policy.
    func hash(seed: UInt64) -> UInt64 {
        var hash = SeededHash(seed: seed)
        hash.combine(input.words.first)
        hash.combine(input.words.second)
        hash.combine(identity)
        return hash.value
    }

    static func == (left: CacheKey, right: CacheKey) -> Bool {
        left.hashed == right.hashed && left.input == right.input
            && left.identity == right.identity
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(hashed)
    }
}
