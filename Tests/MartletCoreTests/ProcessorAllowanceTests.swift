import MartletCore
import Testing

@Suite("Processor allowance")
struct ProcessorAllowanceTests {
    @Test(arguments: [
        (online: 1, affinity: 1, quota: Double?.none, cores: 1),
        (online: 128, affinity: 128, quota: nil, cores: 128),
        (online: 128, affinity: 6, quota: nil, cores: 6),
        (online: 64, affinity: 64, quota: 0.5, cores: 1),
        (online: 64, affinity: 64, quota: 0.001, cores: 1),
        (online: 64, affinity: 64, quota: 1.0, cores: 1),
        (online: 64, affinity: 64, quota: 1.5, cores: 2),
        (online: 64, affinity: 64, quota: 2.01, cores: 3),
        (online: 64, affinity: 2, quota: 8, cores: 2),
        (online: 2, affinity: 2, quota: 1e300, cores: 2),
        (online: 0, affinity: 0, quota: nil, cores: 1),
    ])
    func cores_areBoundByAffinityAndQuota(
        online: Int, affinity: Int, quota: Double?, cores: Int
    ) {
        let allowance = ProcessorAllowance(online: online, affinity: affinity, quota: quota)
        #expect(allowance.cores == cores)
        #expect(allowance.time <= Double(max(1, affinity)))
    }

    @Test func words_nameEachBound() {
        #expect(ProcessorAllowance(online: 1).text == "1 processor")
        #expect(ProcessorAllowance(online: 8).text == "8 processors")
        #expect(
            ProcessorAllowance(online: 8, affinity: 2, quota: 1.5).text
                == "2 of 8 processors, quota 1.5")
    }

    @Test(arguments: [
        ("max 100000\n", Double?.none), ("150000 100000\n", 1.5), ("50000 100000", 0.5),
        ("", nil), ("max", nil), ("1 0", nil), ("-1 100000", nil), ("x y", nil), ("nan 1", nil),
        ("inf 1", nil), ("1 2 3", nil),
    ])
    func quotaOfVersionTwo_isRead(text: String, quota: Double?) {
        #expect(ProcessorAllowance.quota(cpuMax: text) == quota)
    }

    @Test func quotaOfVersionOne_isRead() {
        #expect(ProcessorAllowance.quota(microseconds: "-1\n", period: "100000\n") == nil)
        #expect(ProcessorAllowance.quota(microseconds: "250000\n", period: "100000\n") == 2.5)
    }

    @Test(arguments: [
        ("0", Int?.some(1)), ("0-127\n", 128), ("0-3,8,10-11\n", 7), ("0,2,4,6", 4), ("", nil),
        ("\n", nil), ("3-1", nil), ("a", nil), ("-1", nil), ("1-2-3", nil), ("0-9999999999", nil),
        ("1-", nil),
    ])
    func listOfProcessors_isCounted(text: String, count: Int?) {
        #expect(ProcessorAllowance.count(list: text) == count)
    }
}
