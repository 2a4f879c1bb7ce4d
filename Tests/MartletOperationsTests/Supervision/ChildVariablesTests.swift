import Testing

@testable import MartletOperations

@Suite("Variables of a child process")
struct ChildVariablesTests {
    private func environment(
        _ own: [String: String] = [:], inherited: [String: String] = [:]
    ) -> [String: String] {
        let child = ProcessSpecification(
            name: "node-1", executable: "/bin/true", arguments: [], environment: own,
            address: "127.0.0.1:1"
        ) { true }
        return child.variables(inherited: inherited)
    }

    @Test func ownVariables_goBeforeInheritedOnes() {
        let found = environment(["A": "own", "B": "2"], inherited: ["A": "theirs", "C": "3"])
        #expect(found["A"] == "own" && found["B"] == "2" && found["C"] == nil)
    }

    @Test func stackOfACrash_isWrittenAtOnceUnlessTheOperatorSaysHow() {
        let name = "SWIFT_BACKTRACE"
        #expect(environment()[name] == "symbolicate=off")
        #expect(environment(inherited: [name: "enable=no"])[name] == "enable=no")
        #expect(environment([name: "threads=all"], inherited: [name: "x"])[name] == "threads=all")
    }
}
