import Foundation
import MartletCore
import Synchronization
import Testing

@testable import MartletGateway
@testable import MartletTransport

/// Every way to ask, by every credential, for every name of every model: who may not is refused.
@Suite("Access: the matrix")
struct AccessMatrixTests {
    /// What is expected, as plainly as can be said.
    private func expected(
        _ route: MatrixRoute, _ credential: MatrixCredential, _ name: String
    ) -> MatrixAnswer {
        if route.needs == ["bad"] { return .malformed }
        if route.needs == ["open"] { return .passed }
        if let refusal = credential.refusal { return refusal }
        for verb in route.needs where !credential.verbs.contains(verb) { return .denied }
        guard let exact = credential.exact, let openAI = credential.openAI else { return .passed }
        switch route.naming {
        case .none: return .passed
        case .missing, .twice: return .denied
        case .body: return openAI.contains(name) ? .passed : .denied
        case .path, .specification, .task, .first, .second:
            return exact.contains(name) ? .passed : .denied
        }
    }

    @Test func everyCell_isAllowedOrRefusedAsThePlainTableSays() async throws {
        let world = try await MatrixWorld(credentials: MatrixCredential.file)
        #expect(MatrixRoute.all.count == MatrixRoute.count)
        var cells = 0
        var passed = 0
        var wrong: [String] = []
        for route in MatrixRoute.all {
            let hasName = route.naming != .none || route.path.contains("{m}")
            for name in hasName ? MatrixCredential.names : ["small"] {
                for spelling in MatrixSpelling.all(of: name, route) {
                    for credential in MatrixCredential.all {
                        let wanted = expected(route, credential, name)
                        for fields in credential.shown {
                            let answer = world.answer(route, spelling, fields)
                            cells += 1
                            passed += answer == .passed ? 1 : 0
                            guard answer != wanted else { continue }
                            wrong.append(
                                "\(credential.name) \(route.api) \(route.method) \(route.path) "
                                    + "\(spelling): \(answer), not \(wanted)")
                        }
                    }
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count) cells: \(wrong.prefix(10))")
        #expect(cells >= 20_000, "There are \(cells) cells")
        #expect(passed > cells / 20 && passed < cells / 2, "\(passed) of \(cells) pass")
    }

    /// The first message of a stream says nothing of those behind it.
    @Test func streams_areNotForCredentialsOfSomeModels() async throws {
        let world = try await MatrixWorld(credentials: MatrixCredential.file)
        let stream = try #require(
            MatrixRoute("grpc POST /inference.GRPCInferenceService/ModelStreamInfer predict first"))
        for (key, wanted) in [
            ("small", MatrixAnswer.denied), ("s", .denied), ("user", .passed),
            ("predict", .passed), ("look", .denied),
        ] {
            #expect(world.answer(stream, "small", [("x-api-key", key)]) == wanted, "\(key)")
        }
    }

    // MARK: Quotas

    /// A quota of one request at once, and the names by which its model may be asked beside it.
    @Test(
        arguments: [
            ("small", ["small", "small:1", "small:01", "small:+1", "small:stable", "small-lora"]),
            ("'s*'", ["small", "small:1", "small:01", "small:+1", "small:stable", "small-lora"]),
            ("'*'", ["small", "small:1", "small:01", "small:+1", "small:stable", "small-lora"]),
            ("'small:1'", ["small:1", "small:01", "small:+1"]),
            ("small-lora", ["small-lora"]), ("'tag:b'", ["tag:b"]), ("tag", []),
        ] as [(String, [String])])
    func quotasOfAModel_countItByAllOfItsNames(pattern: String, same: [String]) async throws {
        let digest = SecretDigest(of: "k").hex
        let quotas = "quotas: {models: {\(pattern): {concurrent: 1}}}"
        let world = try await MatrixWorld(
            credentials: "keys: [{id: k, sha256: \(digest), tenant: t, \(quotas)}]")
        let chat = try #require(MatrixRoute("rest POST /v1/chat/completions chat body"))
        let key = [(name: "x-api-key", value: "k")]
        for first in same {
            let held = try #require(world.held(chat, first, key), "\(first)")
            for other in MatrixCredential.names {
                let second = world.held(chat, other, key)
                // All that is an adapter of a model counts as that.
                #expect((second == nil) == same.contains(other), "\(first), then \(other)")
                if let second { world.end(second) }
            }
            world.end(held)
        }
        for name in MatrixCredential.names where !same.contains(name) {
            let one = world.held(chat, name, key)
            let two = world.held(chat, name, key)
            #expect(one != nil && (two != nil) == (pattern != "'*'"), "\(name)")
            for plan in [one, two].compactMap(\.self) { world.end(plan) }
        }
    }

    /// A node with one language model may take a request that names none to be for that.
    @Test(arguments: ["{}", #"{"model":null}"#, #"{"model":"big","model":"small"}"#, "[", ""])
    func quotasOfAModel_areNotLeftByNamingNone(body: String) async throws {
        let digest = SecretDigest(of: "k").hex
        let quotas = "quotas: {models: {small: {concurrent: 1}}}"
        let world = try await MatrixWorld(
            credentials: "keys: [{id: k, sha256: \(digest), tenant: t, \(quotas)}]")
        let tokenize = try #require(MatrixRoute("rest POST /tokenize chat body"))
        let answer = world.answer(tokenize, Array(body.utf8), [("x-api-key", "k")], path: nil)
        #expect(answer == .denied)
    }
}
