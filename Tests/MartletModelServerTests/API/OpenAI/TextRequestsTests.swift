import MartletCore
import Testing

@testable import MartletModelServer

@Suite("Requests for embeddings, tokens and ranks")
struct TextRequestsTests {
    private func bytes(_ json: String) -> [UInt8] { Array(json.utf8) }

    private func param(_ call: () throws -> Void) -> String? {
        OpenAISupport.param(OpenAISupport.failure(call))
    }

    @Test func embeddingRequest_isRead() throws {
        let request = try EmbeddingRequest(
            decoding: bytes(
                #"{"model": "m", "input": ["a", "b"], "dimensions": 8, "#
                    + #""encoding_format": "base64"}"#
            ),
            limits: Limits())
        #expect(request.inputs == [.text("a"), .text("b")])
        #expect(request.encoding == .base64)
        #expect(request.dimensions == 8)
        let least = try EmbeddingRequest(
            decoding: bytes(#"{"model": "m", "input": [4]}"#), limits: Limits())
        #expect(least.inputs == [.tokens([4])])
        #expect(least.encoding == .float)
        #expect(least.dimensions == nil)
    }

    @Test(arguments: [
        (#""input": """#, "input"), (#""input": {}"#, "input"), (#""x": 1"#, "input"),
        (#""input": "a", "encoding_format": "int8""#, "encoding_format"),
        (#""input": "a", "dimensions": 0"#, "dimensions"),
        (#""input": "a", "dimensions": NaN"#, "dimensions"),
    ])
    func embeddingRequestThatIsWrong_isRefused(members: String, name: String) {
        let body = OpenAISupport.body(#""model": "m""#, members)
        #expect(param { _ = try EmbeddingRequest(decoding: body, limits: Limits()) } == name)
    }

    @Test func tokenizeRequest_hasTheDefaultsOfItsForm() throws {
        func decode(_ json: String) throws -> TokenizeRequest {
            try TokenizeRequest(decoding: bytes(json), limits: Limits())
        }
        let llama = try decode(#"{"content": ""}"#)
        #expect(llama.subject == .text(""))
        #expect(llama.model == nil)
        #expect(!llama.addsSpecialTokens)
        #expect(!llama.includesPieces)
        let other = try decode(#"{"content": "a", "add_special": true, "with_pieces": true}"#)
        #expect(other.addsSpecialTokens)
        #expect(other.includesPieces)
        let vllm = try decode(#"{"model": "m", "prompt": "a"}"#)
        #expect(vllm.model == "m")
        #expect(vllm.addsSpecialTokens)
        let without = try decode(#"{"prompt": "a", "add_special_tokens": false}"#)
        #expect(!without.addsSpecialTokens)
        let chat = try decode(
            #"{"messages": [{"role": "user", "content": "a"}], "add_generation_prompt": false}"#)
        #expect(
            chat.subject == .conversation([ChatMessage(role: .user, content: "a")], tools: []))
        #expect(!chat.addsSpecialTokens)
        #expect(!chat.addsGenerationPrompt)
        #expect(param { _ = try decode("{}") } == "content")
        #expect(param { _ = try decode(#"{"content": ["a"]}"#) } == "content")
    }

    @Test func detokenizeRequest_isRead() throws {
        func decode(_ json: String) throws -> DetokenizeRequest {
            try DetokenizeRequest(decoding: bytes(json), limits: Limits())
        }
        #expect(try decode(#"{"tokens": [1, 0]}"#).tokens == [1, 0])
        #expect(try decode(#"{"tokens": []}"#).tokens.isEmpty)
        #expect(param { _ = try decode("{}") } == "tokens")
        #expect(param { _ = try decode(#"{"tokens": [1, -1]}"#) } == "tokens[1]")
    }

    @Test func rerankRequest_isRead() throws {
        func decode(_ members: String) throws -> RerankRequest {
            try RerankRequest(
                decoding: OpenAISupport.body(#""model": "m", "query": "q""#, members),
                limits: Limits())
        }
        let request = try decode(
            #""documents": ["a", {"text": "b"}], "top_n": 5, "return_documents": true"#)
        #expect(request.query == "q")
        #expect(request.documents == ["a", "b"])
        #expect(request.top == 2)
        #expect(request.returnsDocuments)
        #expect(try decode(#""documents": ["a", "b"], "top_n": 1"#).top == 1)
        #expect(param { _ = try decode(#""documents": []"#) } == "documents")
        #expect(param { _ = try decode(#""documents": [{}]"#) } == "documents[0].text")
        #expect(param { _ = try decode(#""documents": ["a"], "top_n": 0"#) } == "top_n")
        #expect(param { _ = try decode(#""x": 1"#) } == "documents")
    }
}
