import MartletTensors

/// How many properties of one object a JSON schema lets an answer leave out.
///
/// A grammar says which may follow each of them, and to make it takes time by the cube of their
/// number: 256 take 30 milliseconds, 4,000 minutes.
struct OptionalProperties {
    /// Most of one object.
    var most: Int { max(ofObject, alternatives + references * ofAny) }

    private var ofObject = 0
    /// Most properties of an object, whether they may be left out or not.
    private var ofAny = 0
    /// Most in the alternatives that one `allOf` takes together, where all may be left out.
    private var alternatives = 0
    /// Most references there, each to an object of this schema.
    private var references = 0

    init(_ schema: JSONValue) { take(schema) }

    /// Values are nested no deeper than the JSON reader allows.
    private mutating func take(_ value: JSONValue) {
        switch value {
        case .list(let elements):
            for element in elements { take(element) }
        case .object(let members):
            count(members)
            for member in members { take(member.value) }
        default: break
        }
    }

    private mutating func count(_ members: [JSONValue.Member]) {
        let names = Self.properties(of: members)
        ofAny = max(ofAny, names.count)
        let lists = Self.lists("required", of: members)
        // Of a list that is given twice readers may take either.
        var known: Set<String> = []
        if let required = lists.first, lists.count == 1 {
            for case .text(let name) in required { known.insert(name) }
        }
        ofObject = max(ofObject, names.count { !known.contains($0) })
        for parts in Self.lists("allOf", of: members) { merge(parts) }
    }

    private mutating func merge(_ parts: [JSONValue]) {
        var (found, named) = (0, 0)
        for case .object(let part) in parts {
            for name in ["anyOf", "oneOf"] {
                for case .object(let choice) in Self.lists(name, of: part).joined() {
                    found += Self.properties(of: choice).count
                    if choice.contains(where: { $0.name == "$ref" }) { named += 1 }
                }
            }
        }
        alternatives = max(alternatives, found)
        references = max(references, named)
    }

    private static func properties(of members: [JSONValue.Member]) -> [String] {
        var names: [String] = []
        for member in members where member.name == "properties" {
            if case .object(let properties) = member.value { names += properties.map(\.name) }
        }
        return names
    }

    private static func lists(_ name: String, of members: [JSONValue.Member]) -> [[JSONValue]] {
        members.compactMap { member in
            guard member.name == name, case .list(let elements) = member.value else { return nil }
            return elements
        }
    }
}
