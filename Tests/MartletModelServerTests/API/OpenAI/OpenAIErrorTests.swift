import MartletCore
import MartletTensors
import Testing

@testable import MartletModelServer

@Suite("OpenAI's errors")
struct OpenAIErrorTests {
    private func text(_ error: any Error) -> String {
        String(decoding: OpenAIErrorAnswer(error).body, as: UTF8.self)
    }

    @Test func fieldAtFault_isInTheBody() {
        let error = ServingError.invalidField("n", .wrongValue, #"'n' is "0""#)
        #expect(OpenAIErrorAnswer(error).status == 400)
        #expect(
            text(error)
                == #"{"error":{"message":"'n' is \"0\"","type":"invalid_request_error","#
                + #""param":"n","code":"invalid_value"}}"#)
    }

    @Test(arguments: [
        (StatusCode.invalidArgument, 400, "invalid_request_error", "null"),
        (.unauthenticated, 401, "authentication_error", #""invalid_api_key""#),
        (.permissionDenied, 403, "permission_error", #""permission_denied""#),
        (.notFound, 404, "invalid_request_error", #""model_not_found""#),
        (.resourceExhausted, 429, "rate_limit_error", #""rate_limit_exceeded""#),
        (.internal, 500, "server_error", #""internal_error""#),
        (.unavailable, 503, "server_error", #""service_unavailable""#),
        (.deadlineExceeded, 504, "server_error", #""timeout""#),
    ])
    func statusTypeAndCode_followTheError(
        code: StatusCode, status: Int, type: String, name: String
    ) {
        let answer = OpenAIErrorAnswer(ServingError(code, "why"))
        #expect(answer.status == status)
        #expect(
            String(decoding: answer.body, as: UTF8.self)
                == #"{"error":{"message":"why","type":"\#(type)","param":null,"code":\#(name)}}"#)
    }

    @Test func everyCode_hasAnAnswerThatIsJSON() throws {
        for code in StatusCode.allCases {
            let body = OpenAIErrorAnswer(ServingError(code, "\u{1}\n")).body
            #expect(try OpenAISupport.parse(body).at("error.message") == .text("\u{1}\n"))
        }
    }

    @Test func refusalForLoad_saysWhenToTryAgain() {
        func seconds(_ wait: Duration?) -> Int? {
            let error = ServingError(.resourceExhausted, "full").retrying(after: wait)
            return OpenAIErrorAnswer(error).retryAfterSeconds
        }
        #expect(seconds(.milliseconds(1)) == 1)
        #expect(seconds(.milliseconds(2001)) == 3)
        #expect(seconds(.seconds(2)) == 2)
        #expect(seconds(.seconds(-5)) == 1)
        #expect(seconds(.seconds(Int64.max)) == 86_400)
        #expect(seconds(nil) == 1)
        #expect(OpenAIErrorAnswer(ServingError(.unavailable, "x")).retryAfterSeconds == nil)
        let kept = ServingError.invalidField("n", .wrongValue, "x").retrying(after: .seconds(1))
        #expect(OpenAISupport.param(kept) == "n")
    }

    @Test func promptBeyondTheContext_saysBothNumbers() {
        let error = ServingError.contextLengthExceeded(
            promptTokens: 90, outputTokens: 20, contextTokens: 100, param: "messages")
        #expect(OpenAISupport.code(error) == "context_length_exceeded")
        #expect(
            error.message
                == "the prompt has 90 tokens and 20 more are asked for, but the context of the "
                + "model holds 100; shorten the prompt, or ask for at most 10 tokens")
        let longer = ServingError.contextLengthExceeded(
            promptTokens: 101, outputTokens: nil, contextTokens: 100, param: "prompt")
        #expect(
            longer.message
                == "the prompt has 101 tokens, but the context of the model holds 100; shorten "
                + "the prompt")
    }

    @Test func otherErrors_areInternal() {
        struct Odd: Error {}
        #expect(OpenAIErrorAnswer(Odd()).status == 500)
        #expect(text(ServingError.unknownModel("x")).contains(#""code":"model_not_found""#))
    }

    @Test func errorInAStream_isAnEvent() throws {
        let events = try OpenAISupport.events(
            OpenAIErrorAnswer(ServingError(.internal, "a\nb")).event)
        #expect(events.first?.at("error.message") == .text("a\nb"))
    }

    @Test func routes_areReadByMethodAndPath() throws {
        #expect(try OpenAIRoute(method: "POST", path: "/v1/chat/completions") == .chatCompletions)
        #expect(try OpenAIRoute(method: "POST", path: "/v1/completions") == .completions)
        #expect(try OpenAIRoute(method: "POST", path: "/v1/embeddings") == .embeddings)
        #expect(try OpenAIRoute(method: "POST", path: "/v2/rerank") == .rerank)
        #expect(try OpenAIRoute(method: "POST", path: "/tokenize") == .tokenize)
        #expect(try OpenAIRoute(method: "POST", path: "/detokenize") == .detokenize)
        #expect(try OpenAIRoute(method: "GET", path: "/v1/models/half_plus_two") == nil)
        #expect(try OpenAIRoute(method: "GET", path: "/v1/chat") == nil)
        let error = OpenAISupport.failure {
            _ = try OpenAIRoute(method: "GET", path: "/v1/completions")
        }
        #expect(error?.message == "Not found: GET /v1/completions; it takes POST")
    }
}
