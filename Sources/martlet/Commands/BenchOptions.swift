public import ArgumentParser
public import MartletBench

extension BenchAPI: ExpressibleByArgument {}

extension CompletionRequests.Function: ExpressibleByArgument {}

/// What `martlet bench` asks of the model.
struct BenchRequestOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How the model is asked: grpc, rest (TensorFlow Serving's), oip, oip-grpc (Open "
                + "Inference Protocol), openai; grpc for targets that begin with grpc://, else "
                + "rest.", valueName: "api"))
    var api: BenchAPI?

    @Option(help: ArgumentHelp("The model's name.", valueName: "name"))
    var model: String

    @Option(
        help: ArgumentHelp("Its version; whichever the server takes unless named.", valueName: "n"))
    var modelVersion: Int64?

    @Option(help: ArgumentHelp("Its signature; the default one unless named.", valueName: "name"))
    var signature: String?

    @Option(
        help: ArgumentHelp(
            "Size of the first dimension of made-up tensors, where the signature leaves it open.",
            valueName: "n"))
    var batch = 1

    @Option(
        help: ArgumentHelp(
            "Shape of an input, which goes before the signature's; may be repeated.",
            valueName: "name=1,2,3"))
    var shape: [String] = []

    @Option(help: "Seed of made-up tensors and of Poisson arrivals.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Different requests that take turns.", valueName: "n"))
    var variants = 16

    @Option(
        help: ArgumentHelp(
            "What is sent in place of made-up tensors: a JSON body, or for gRPC a serialized "
                + "message.", valueName: "file"))
    var data: String?

    @Option(
        help: ArgumentHelp(
            "With --api openai: chat or completions.", valueName: "function"))
    var function = CompletionRequests.Function.chat

    @Option(help: "With --api openai: what the model is asked.")
    var prompt = "Tell me about swifts, the birds."

    @Option(
        help: ArgumentHelp("With --api openai: most tokens of an answer.", valueName: "n"))
    var maxTokens: Int?

    @Flag(
        inversion: .prefixedNo,
        help: "With --api openai: have answers streamed, and take the times of their tokens.")
    var stream = true

    func validate() throws {
        guard !model.isEmpty else { throw ValidationError("--model is empty; name a model") }
        guard (1...1_000_000).contains(batch) else {
            throw ValidationError("--batch is \(batch); use 1 to 1000000")
        }
        guard (1...10_000).contains(variants) else {
            throw ValidationError("--variants is \(variants); use 1 to 10000")
        }
        _ = try shapes()
    }

    /// The shapes by name.
    func shapes() throws -> [String: [Int]] {
        var shapes: [String: [Int]] = [:]
        for text in shape {
            // Names may have '=' in them; sizes do not.
            guard let mark = text.lastIndex(of: "="), mark != text.startIndex else {
                throw ValidationError("--shape is '\(text)'; write NAME=SIZE,SIZE")
            }
            let sizes = text[text.index(after: mark)...].split(
                separator: ",", omittingEmptySubsequences: false)
            let numbers = sizes.compactMap { Int($0) }.filter { $0 >= 0 }
            guard numbers.count == sizes.count || sizes == [""] else {
                throw ValidationError("--shape is '\(text)'; sizes are whole numbers of 0 or more")
            }
            shapes[String(text[..<mark])] = numbers
        }
        return shapes
    }
}
