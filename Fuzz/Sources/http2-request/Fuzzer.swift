import FuzzTarget

@testable import Properties

/// libFuzzer's entry: a client's bytes to an HTTP/2 server.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    run(start, count) { try HTTP2RequestProperties.check($0) }
}
