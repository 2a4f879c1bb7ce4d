internal import Foundation
import MartletCore

extension ProcessorAllowance {
    /// The number of processors as the C library knows it, where the kernel's files are missing.
    static var systemCount: Int { ProcessInfo.processInfo.activeProcessorCount }
}
