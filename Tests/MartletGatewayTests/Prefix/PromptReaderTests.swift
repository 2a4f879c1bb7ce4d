import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Reading prompts out of requests")
struct PromptReaderTests {
    private let reader = PromptReader(
        configuration: PrefixConfiguration(blockBytes: 16, blocksMax: 8), secret: 1)

    private func blocks(_ body: String, tenant: String? = nil) -> PromptBlocks? {
        reader.blocks(inBody: Array(body.utf8), tenant: tenant)
    }

    /// How many blocks two bodies share.
    private func shared(_ one: String, _ other: String) throws -> Int {
        let one = try #require(blocks(one)).hashes
        let other = try #require(blocks(other)).hashes
        return zip(one, other).prefix { $0 == $1 }.count
    }

    private func chat(_ texts: String..., rest: String = "") -> String {
        let messages = texts.map { #"{"role":"user","content":"\#($0)"}"# }
        return #"{"model":"m","messages":[\#(messages.joined(separator: ","))]\#(rest)}"#
    }

    // Roles and texts of 5 + 43 bytes with their marks: three blocks.
    private let turn = String(repeating: "a", count: 42)

    @Test func blocks_ofAConversationThatGoesOn_beginAsThoseBefore() throws {
        let first = try #require(blocks(chat(turn)))
        #expect(first.hashes.count == 3)
        #expect(first.textBytes == 48)
        #expect(try shared(chat(turn), chat(turn, "and then?")) == 3)
        #expect(try shared(chat(turn, turn), chat(turn, turn, turn)) == 6)
    }

    @Test func blocks_fromTheFirstDifferenceOn_differ() throws {
        let other = String(repeating: "a", count: 30) + "b" + String(repeating: "a", count: 11)
        #expect(try shared(chat(turn, turn), chat(other, turn)) == 2)
        #expect(try shared(chat("b" + turn), chat(turn)) == 0)
    }

    @Test func textsThatAreCutElsewhere_areDifferent() throws {
        let one = #"{"messages":[{"content":"aaaaaaaabbbbbbbb"},{"content":"c"}]}"#
        let other = #"{"messages":[{"content":"aaaaaaaa"},{"content":"bbbbbbbbc"}]}"#
        #expect(try shared(one, other) == 0)
    }

    @Test func whiteSpaceBetweenValues_doesNotMatter() throws {
        let spaced = """
            { "messages" : [ {"role" : "user" ,
            "content":"\(turn)"} ],"model":"m" }
            """
        #expect(blocks(spaced) == blocks(chat(turn)))
    }

    @Test func settingsOfSampling_doNotMatter() throws {
        let other = chat(turn, rest: #","temperature":0.5,"stream":true,"stop":["x",null]"#)
        #expect(blocks(other) == blocks(chat(turn)))
    }

    @Test(arguments: [
        #","tools":[{"type":"function","function":{"name":"f"}}]"#, #","adapter":"x""#,
        #","lora":[{"id":0,"scale":1}]"#, #","cache_salt":"x""#, #","system":"x""#,
        #","model":"other""#,
    ])
    func whatDividesCaches_changesAllHashes(rest: String) throws {
        #expect(try shared(chat(turn), chat(turn, rest: rest)) == 0)
    }

    @Test func memberThatIsNull_isNotThere() {
        #expect(blocks(chat(turn, rest: #","tools":null,"adapter":null"#)) == blocks(chat(turn)))
    }

    @Test func tenants_shareNothing() throws {
        let hashes = try [nil, "a", "b"].map {
            try #require(blocks(chat(turn), tenant: $0)?.hashes.first)
        }
        #expect(Set(hashes).count == 3)
    }

    @Test func readersOfDifferentSecrets_shareNothing() {
        let other = PromptReader(
            configuration: PrefixConfiguration(blockBytes: 16, blocksMax: 8), secret: 2)
        let body = Array(chat(turn).utf8)
        let hashes = [reader, other].map { $0.blocks(inBody: body)?.hashes.first }
        #expect(hashes[0] != hashes[1])
    }

    @Test func adapter_isNamedByModelAndName() throws {
        func key(_ model: String, _ adapter: String) throws -> UInt64? {
            let body = #"{"model":"\#(model)","adapter":"\#(adapter)","prompt":"x"}"#
            return try #require(blocks(body)).adapterKey
        }
        #expect(try key("m", "x") == key("m", "x"))
        #expect(try Set([key("m", "x"), key("m", "y"), key("n", "x"), nil]).count == 4)
        #expect(try #require(blocks(chat(turn))).adapterKey == nil)
    }

    @Test func adapter_mayStandInTheModelsPlace() throws {
        func key(_ model: String) throws -> UInt64? {
            let body = Array(#"{"model":"\#(model)","prompt":"x"}"#.utf8)
            return try #require(reader.blocks(inBody: body) { $0.hasPrefix("l") }).adapterKey
        }
        #expect(try key("m") == nil)
        #expect(try key("l1") != nil)
        #expect(try key("l1") == key("l1"))
        #expect(try key("l1") != key("l2"))
    }

    @Test func session_isThatOfTheTenant_andNoPartOfThePrompt() throws {
        func session(_ rest: String, tenant: String? = nil) throws -> UInt64? {
            try #require(blocks(chat(turn, rest: rest), tenant: tenant)).sessionKey
        }
        let key = #","prompt_cache_key":"k""#
        #expect(try session("") == nil)
        #expect(try session(#","prompt_cache_key":null"#) == nil)
        let keys = try [
            session(key), session(#","prompt_cache_key":"l""#), session(key, tenant: "a"),
            session(key, tenant: "b"),
        ]
        #expect(Set(keys).count == 4 && !keys.contains(nil))
        #expect(try session(key) == keys[0])
        #expect(try shared(chat(turn), chat(turn, rest: key)) == 3)
    }

    @Test func contentInParts_isRead() throws {
        let parts = #"{"messages":[{"role":"user","content":[{"type":"text","text":"\#(turn)"}]}]}"#
        #expect(try #require(blocks(parts)).hashes.count == 3)
    }

    // MARK: Completions

    @Test func prompt_ofOneText_isRead() throws {
        #expect(try #require(blocks(#"{"prompt":"\#(turn)"}"#)).hashes.count == 2)
    }

    @Test func prompts_ofAList_areReadToTheEndOfTheFirst() {
        let one = blocks(#"{"prompt":["\#(turn)"]}"#)
        #expect(one?.hashes.count == 2)
        #expect(blocks(#"{"prompt":["\#(turn)","\#(turn)"]}"#) == one)
        #expect(blocks(#"{"prompt":"\#(turn)"}"#) == one)
    }

    @Test func promptsOfTokens_areReadToTheEndOfTheFirst() {
        let tokens = (100..<120).map(String.init).joined(separator: ", ")
        let one = blocks(#"{"prompt":[\#(tokens)]}"#)
        #expect(one?.hashes.count == 5)
        #expect(blocks(#"{"prompt":[[\#(tokens)],[1,2,3,4,5,6,7,8,9,10,11,12,13]]}"#) == one)
    }

    // MARK: Bounds and bad input

    @Test func longPrompt_isReadUpToItsBound() throws {
        let long = try #require(blocks(chat(String(repeating: "x", count: 10_000))))
        #expect(long.hashes.count == 8)
        #expect(long.textBytes == 128)
        let many = (0..<10_000).map { _ in #"{"content":""}"# }.joined(separator: ",")
        #expect(try #require(blocks(#"{"messages":[\#(many)]}"#)).hashes.count == 8)
    }

    @Test func emptyPrompt_hasNoBlocksAndCountsAsOne() throws {
        for body in [#"{"messages":[]}"#, #"{"prompt":""}"#, #"{"prompt":[]}"#] {
            let empty = try #require(blocks(body))
            #expect(empty.hashes.isEmpty)
            #expect(empty.work == 1)
        }
    }

    @Test(arguments: [
        "", "null", "[]", "{", "{}", #"{"model":"m"}"#, #"{"messages":[{"content":"x"}]"#,
        #"{"messages":[{"content":"x"]}"#, #"{"messages":[{"content":"x",}]}"#,
        #"{"prompt":"x"}}"#, #"{"prompt":"\x"}"#, #"{"prompt":"x" "y":1}"#, #"{"prompt":"#,
        #"{"prompt"}"#, #"{1:2}"#, #"{"prompt":tru}"#, "{\"prompt\":\"\u{1}\"}",
    ])
    func whatIsNoPrompt_hasNoBlocks(body: String) {
        #expect(blocks(body) == nil)
    }

    @Test func nestingBeyondItsBound_hasNoBlocks() {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(blocks(#"{"messages":\#(deep)}"#) == nil)
        #expect(blocks(#"{"prompt":"x","other":\#(deep)}"#) == nil)
    }

    @Test func brokenBodies_neverTrap() {
        let whole = Array(
            chat(turn, rest: #","tools":[{"a":1e5}],"prompt":[[1,2],["\u00e9\n"]]"#).utf8)
        #expect(reader.blocks(inBody: whole) != nil)
        for seed in SimulationSeeds.first(500) {
            var random = SeededGenerator(seed: seed)
            var body = Array(whole.prefix(Int.random(in: 0...whole.count, using: &random)))
            for _ in 0..<Int.random(in: 0..<4, using: &random) where !body.isEmpty {
                let place = Int.random(in: body.indices, using: &random)
                body[place] = UInt8.random(in: 0...255, using: &random)
            }
            let blocks = reader.blocks(inBody: body)
            #expect(blocks.map { $0.hashes.count <= 8 } != false)
        }
    }

    @Test func requestsThatMayHavePrompts_areKnownByTheirAddress() {
        func may(_ method: String, _ path: String) -> Bool {
            PromptReader.mayHavePrompt(method: method, path: path)
        }
        #expect(may("POST", "/v1/chat/completions"))
        #expect(may("POST", "/v1/completions?x=/y"))
        #expect(may("POST", "/openai/v1/completions"))
        #expect(!may("GET", "/v1/chat/completions"))
        #expect(!may("POST", "/v1/embeddings"))
        #expect(!may("POST", "/v1/models/m:predict?x=/completions"))
    }
}
