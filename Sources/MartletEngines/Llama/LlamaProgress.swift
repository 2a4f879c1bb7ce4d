/// A function that the library tells how far something is, for the time of one call.
final class LlamaProgress {
    private let body: (Float) -> Bool

    init(_ body: @escaping (Float) -> Bool) {
        self.body = body
    }

    /// What the library calls; its context is an object of this class.
    static let function: @convention(c) (Float, UnsafeMutableRawPointer?) -> Bool = {
        done, context in
        guard let context else { return true }
        return Unmanaged<LlamaProgress>.fromOpaque(context).takeUnretainedValue().body(done)
    }

    /// This object, for as long as the caller keeps it.
    var context: UnsafeMutableRawPointer {
        Unmanaged.passUnretained(self).toOpaque()
    }
}
