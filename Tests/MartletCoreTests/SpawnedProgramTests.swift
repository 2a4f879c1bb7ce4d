import Foundation
import MartletCore
import Testing

@Suite("Programs that are started")
struct SpawnedProgramTests {
    /// What a shell script writes, fed by a file.
    private func written(
        by script: String, fed text: String, variables: [String: String] = [:]
    ) throws -> String {
        let (input, output) = (Pipe(), Pipe())
        // They close their files when they go.
        defer { withExtendedLifetime((input, output)) {} }
        input.fileHandleForWriting.write(Data(text.utf8))
        try input.fileHandleForWriting.close()
        let pid = try SpawnedProgram(
            executable: "/bin/sh", arguments: ["-c", script], environment: variables,
            input: input.fileHandleForReading.fileDescriptor,
            output: output.fileHandleForWriting.fileDescriptor
        ).start()
        try output.fileHandleForWriting.close()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        var status: Int32 = 0
        while waitpid(pid, &status, 0) == -1, errno == EINTR {}
        #expect(status == 0)
        return String(decoding: data, as: UTF8.self)
    }

    @Test func filesAndVariables_areTheChildsOwn() throws {
        #expect(
            try written(
                by: "cat; echo $MARTLET_TEST; echo error >&2", fed: "fed ",
                variables: ["MARTLET_TEST": "set"]) == "fed set\nerror\n")
    }

    @Test func ourOtherFiles_areClosedInTheChild() throws {
        // Without close-on-exec it would be inherited.
        let file = open("/dev/null", O_RDONLY)
        defer { close(file) }
        #expect(
            try written(by: "test -e /proc/self/fd/\(file) || echo closed", fed: "") == "closed\n")
    }

    @Test func process_leadsAGroupOfItsOwn() throws {
        let groups = try written(by: "cut -d ' ' -f 5 /proc/$$/stat; echo $$", fed: "")
        let lines = groups.split(separator: "\n")
        #expect(lines.count == 2 && lines.first == lines.last)
    }

    @Test func executableThatIsNot_saysWhy() {
        let error = #expect(throws: SpawnedProgram.Failure.self) {
            try SpawnedProgram(executable: "/no/such/program", arguments: []).start()
        }
        #expect(error?.reason == "No such file or directory")
    }
}
