import MartletCore

extension DoctorCheck {
    /// What all checks of the machine are of.
    private static let machine = "machine"

    /// Checks of the machine itself, whatever runs on it.
    public static func machine(_ facts: MachineFacts) -> [DoctorCheck] {
        [processors(facts.processors), features(facts)] + memoryNodes(facts) + governor(facts)
            + hugePages(facts)
    }

    /// How much of the processors there is.
    static func processors(_ allowance: ProcessorAllowance) -> DoctorCheck {
        let found = "\(allowance.text): \(allowance.cores) at once"
        guard let quota = allowance.quota, quota < 1 else {
            return DoctorCheck("processors", of: machine, .ok, found)
        }
        return DoctorCheck(
            "processors", of: machine, .warn, found,
            remedy: "the quota stops all threads for a part of each period, which adds up to 0.1 s "
                + "to a request; give at least one processor (Docker: --cpus 1)")
    }

    /// What the processor can do, as far as engines ask.
    static func features(_ facts: MachineFacts) -> DoctorCheck {
        let flags = facts.processorFlags
        let of = "processor"
        guard !flags.isEmpty else {
            return DoctorCheck(
                "features", of: of, .ok, "the system does not tell what the processor can do")
        }
        let known = [
            "avx", "avx2", "fma", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16",
            "amx_int8",
        ].filter(flags.contains)
        let name = facts.processorModel.map { "\($0): " } ?? ""
        guard flags.contains("avx") else {
            return DoctorCheck(
                "features", of: of, .fail, "\(name)no avx",
                remedy: "TensorFlow's builds need it; use another machine, or turn on the host's "
                    + "processor features in the virtual machine")
        }
        let fast =
            hasBFloat16(flags)
            ? "--precision fast computes in bf16" : "no bf16: --precision fast is the same as exact"
        let found = "\(name)\(known.joined(separator: " ")); \(fast)"
        guard flags.contains("avx2") else {
            return DoctorCheck(
                "features", of: of, .warn, found,
                remedy: "without avx2 models run at a fraction of the usual pace; use another "
                    + "machine, or turn on the host's processor features in the virtual machine")
        }
        return DoctorCheck("features", of: of, .ok, found)
    }

    /// Whether a processor computes with 16-bit numbers by itself.
    public static func hasBFloat16(_ flags: Set<String>) -> Bool {
        flags.contains("avx512_bf16") || flags.contains("amx_bf16")
    }

    private static func memoryNodes(_ facts: MachineFacts) -> [DoctorCheck] {
        guard facts.memoryNodes > 1 else { return [] }
        return [
            DoctorCheck(
                "memory nodes", of: machine, .warn,
                "\(facts.memoryNodes) parts with memory of their own (NUMA)",
                remedy: "run one node for each part, by "
                    + "'numactl --cpunodebind N --membind N martlet serve ...'; a cpuset is obeyed")
        ]
    }

    private static func governor(_ facts: MachineFacts) -> [DoctorCheck] {
        guard let governor = facts.governor else { return [] }
        let isSlow = governor == "powersave" || governor == "conservative"
        return [
            DoctorCheck(
                "clock", of: machine, isSlow ? .warn : .ok, "governor \(governor)",
                remedy: isSlow
                    ? "latency grows while the clock is slow: 'cpupower frequency-set -g "
                        + "performance'" : "")
        ]
    }

    private static func hugePages(_ facts: MachineFacts) -> [DoctorCheck] {
        guard let word = facts.hugePages else { return [] }
        return [
            DoctorCheck("huge pages", of: machine, .ok, "transparent huge pages: \(word)")
        ]
    }
}
