import FuzzTarget

@testable import Properties

/// libFuzzer's entry: an upstream's bytes to the gateway.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    run(start, count) { try HTTP1AnswerProperties.check($0) }
}
