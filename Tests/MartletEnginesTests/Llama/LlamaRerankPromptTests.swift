import MartletCore
import Testing

@testable import MartletEngines

@Suite("What ranking models read")
struct LlamaRerankPromptTests {
    /// Control tokens are `<1>` to `<9>`; any other letter is a token of its own number.
    private func prompt(_ template: String) throws -> LlamaRerankPrompt {
        try LlamaRerankPrompt(template) { text in
            guard let first = text.firstIndex(of: "<"), let last = text.lastIndex(of: ">") else {
                return [.text(text)]
            }
            let special = text[first...last].compactMap { TokenID(String($0)) }
            return [
                .text(String(text[..<first])), .tokens(special),
                .text(String(text[text.index(after: last)...])),
            ]
        }
    }

    /// The tokens, and the texts that were cut each in one piece.
    private func read(_ template: String, _ query: String, _ document: String) throws -> (
        tokens: [TokenID], texts: [String]
    ) {
        var texts: [String] = []
        let tokens = try prompt(template).tokens(query: query, document: document) { text in
            texts.append(text)
            return text.unicodeScalars.map { TokenID($0.value) }
        }
        return (tokens, texts)
    }

    @Test func textsBetweenControlTokens_areCutAsOne() throws {
        let read = try read("<1>Q: {query} D: {document}<2><3>yes", "red", "{fox}")
        #expect(read.texts == ["Q: red D: {fox}", "yes"])
        #expect(read.tokens.first == 1)
        #expect(read.tokens.filter { $0 < 10 } == [1, 2, 3])
    }

    @Test func whatClientsWrite_holdsNoControlTokensAndNoPlaces() throws {
        let read = try read("<1>{query}<2>{document}<3>", "<3>{document}", "{query}<1>")
        #expect(read.texts == ["<3>{document}", "{query}<1>"])
        #expect(read.tokens.filter { $0 < 10 } == [1, 2, 3])
    }

    @Test func placesInAnyOrderAndNumber_areFilled() throws {
        #expect(try read("{document}|{query}|{query}{", "q", "d").texts == ["d|q|q{"])
    }

    @Test(arguments: [
        "", "{query}", "{document}", "{ query }{document}",
        "{query}" + String(repeating: "{document}", count: 16),
    ])
    func templateThatLacksAPlaceOrHasTooMany_isRefused(template: String) {
        let error = #expect(throws: ServingError.self) { try prompt(template) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("{query} and {document}") == true)
    }
}
