/// Every bound on what is taken from a GGUF file's header, with its default.
///
/// The largest headers in use (a vocabulary of 262,144 tokens, 512 layers) stay below a tenth of
/// each. A file beyond one is refused with an error that names it.
public struct GGUFLimits: Sendable, Hashable {
    /// Most bytes before the tensors' data; the pass over them is what takes time.
    public var headerBytes = 128 << 20

    /// Most bytes kept in memory of it: keys, names, texts and numbers together.
    public var keptBytes = 16 << 20

    /// Most keys.
    public var keys = 65_536

    /// Most tensors, in all parts of a model together.
    public var tensors = 65_536

    /// Longest key in bytes; the format's own bound.
    public var keyBytes = 65_535

    /// Longest text that is kept, in bytes; a longer one is passed over.
    public var textBytes = 1 << 20

    /// Most elements of a list.
    public var listElements = 4 << 20

    /// Most elements of a list of whole numbers that is kept; a longer one is passed over.
    public var keptElements = 1024

    /// Largest alignment of tensors in bytes.
    public var alignment = 1 << 20

    /// Most files that a model is split into.
    public var parts = 1024

    /// Most layers; beyond its own bound llama.cpp ends the process.
    public var layers = 512

    /// Most experts of a layer; beyond its own bound llama.cpp ends the process.
    public var experts = 1024

    /// The defaults.
    public init() {}
}
