import Foundation
import Testing

@testable import MartletOperations

@Suite("Doctor's report")
struct DoctorReportTests {
    private let good = DoctorCheck("threads", of: "node", .ok, "fine", remedy: "never shown")
    private let warning = DoctorCheck("memory", of: "node", .warn, "little", remedy: "add some")
    private let failure = DoctorCheck("port", of: "node", .fail, "taken", remedy: "end it")

    @Test func worstVerdict_decides() {
        #expect(DoctorReport().isWell(isStrict: true))
        #expect(DoctorReport([good]).isWell(isStrict: true))
        #expect(DoctorReport([good, warning]).isWell(isStrict: false))
        #expect(!DoctorReport([good, warning]).isWell(isStrict: true))
        #expect(!DoctorReport([failure, good]).isWell(isStrict: false))
        #expect(DoctorReport([warning, failure, good]).verdict == .fail)
    }

    @Test func tables_tellWhatWasFoundAndWhatToDo() {
        #expect(
            DoctorReport([good, warning]).text() == """
                CHECK    OF    RESULT  FOUND
                threads  node  ok      fine
                memory   node  warn    little

                TO DO   OF    REMEDY
                memory  node  add some

                1 ok, 1 warn, 0 fail

                """)
        #expect(DoctorReport([good]).text().hasSuffix("fine\n\n1 ok, 0 warn, 0 fail\n"))
    }

    @Test func json_hasEachCheck() throws {
        let object = try JSONSerialization.jsonObject(with: DoctorReport([good, failure]).json())
        let document = try #require(object as? [String: Any])
        #expect(document["result"] as? String == "fail")
        let checks = try #require(document["checks"] as? [[String: String]])
        #expect(
            checks == [
                [
                    "check": "threads", "of": "node", "result": "ok", "found": "fine",
                    "remedy": "",
                ],
                [
                    "check": "port", "of": "node", "result": "fail", "found": "taken",
                    "remedy": "end it",
                ],
            ])
    }
}
