@testable import MartletGateway

/// A credential of the matrix, and by hand what it may ask for.
struct MatrixCredential {
    let name: String
    /// What stands under it in the file of credentials; nil where it is not there.
    var entry: String?
    /// What it may ask, by name.
    var verbs = ["predict", "classify", "regress", "metadata", "status", "chat", "embeddings"]
    /// The names by which it may ask in paths and messages, where each means a model of just that
    /// name; nil for all.
    var exact: [String]?
    /// The names by which it may ask by OpenAI's API, where they may have versions.
    var openAI: [String]?
    /// How it is refused whatever is asked: `UNAUTHENTICATED` or `PERMISSION_DENIED`.
    var refusal: MatrixAnswer?

    /// The names that are asked for.
    ///
    /// Nodes serve `small`, `big`, `a1` and `tag:b`, and adapters of the first two.
    static let names = [
        "small", "small:1", "small:01", "small:+1", "small:stable", "Small", "big", "big:1", "a1",
        "tag:b", "small-lora", "big-lora",
    ]

    private static let versions = ["small", "small:1", "small:01", "small:+1", "small:stable"]

    static let all: [MatrixCredential] = [
        MatrixCredential(name: "none", refusal: .unauthenticated),
        MatrixCredential(name: "unknown", refusal: .unauthenticated),
        MatrixCredential(name: "disabled", entry: "disabled: true", refusal: .unauthenticated),
        MatrixCredential(
            name: "expired", entry: "expires: 2020-01-01", refusal: .unauthenticated),
        MatrixCredential(name: "closed", entry: "", refusal: .denied),
        MatrixCredential(name: "user", entry: ""),
        MatrixCredential(
            name: "root", entry: "scope: {verbs: [any]}",
            verbs: [
                "predict", "classify", "regress", "metadata", "status", "chat", "embeddings",
                "admin",
            ]),
        MatrixCredential(name: "admin", entry: "scope: {verbs: [admin]}", verbs: ["admin"]),
        MatrixCredential(name: "predict", entry: "scope: {verbs: [predict]}", verbs: ["predict"]),
        MatrixCredential(
            name: "classify", entry: "scope: {verbs: [classify]}", verbs: ["classify"]),
        MatrixCredential(
            name: "look", entry: "scope: {verbs: [status, metadata]}",
            verbs: ["status", "metadata"]),
        MatrixCredential(
            name: "chat-small", entry: "scope: {verbs: [chat], models: [small]}", verbs: ["chat"],
            exact: ["small"], openAI: versions),
        MatrixCredential(
            name: "small", entry: "scope: {models: [small]}", exact: ["small"], openAI: versions),
        MatrixCredential(
            name: "ends-in-1", entry: "scope: {models: ['*1']}",
            exact: ["small:1", "small:01", "small:+1", "big:1", "a1"], openAI: ["a1"]),
        MatrixCredential(
            name: "version-1", entry: "scope: {models: ['small:1']}", exact: ["small:1"],
            openAI: ["small:1", "small:01", "small:+1"]),
        MatrixCredential(
            name: "s", entry: "scope: {models: ['s*']}", exact: versions + ["small-lora"],
            openAI: versions + ["small-lora"]),
        MatrixCredential(
            name: "adapter", entry: "scope: {models: [small-lora]}", exact: ["small-lora"],
            openAI: ["small-lora"]),
        MatrixCredential(
            name: "tag", entry: "scope: {models: [tag]}", exact: [], openAI: []),
        MatrixCredential(
            name: "tag-b", entry: "scope: {models: ['tag:b']}", exact: ["tag:b"],
            openAI: ["tag:b"]),
    ]

    /// The file of all of them.
    static var file: String {
        var lines = ["tenants: [{name: t}, {name: closed, disabled: true}]", "keys:"]
        for credential in all {
            guard let entry = credential.entry else { continue }
            let tenant = credential.name == "closed" ? "closed" : "t"
            let more = entry.isEmpty ? "" : ", \(entry)"
            lines.append(
                "  - {id: \(credential.name), sha256: \(SecretDigest(of: credential.name).hex), "
                    + "tenant: \(tenant)\(more)}")
        }
        return lines.joined(separator: "\n")
    }

    /// The fields by which it is shown: as a key, and as a bearer.
    var shown: [[(name: String, value: String)]] {
        name == "none" ? [[]] : [[("x-api-key", name)], [("authorization", "bearer \(name)")]]
    }
}

/// What becomes of a request of the matrix.
enum MatrixAnswer: String {
    case passed, malformed, unauthenticated, denied, other
}
