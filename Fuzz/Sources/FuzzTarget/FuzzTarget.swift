/// Runs what libFuzzer gives through a check, and ends the process where a promise is broken:
/// libFuzzer then writes the bytes to a file.
public func run(
    _ start: UnsafePointer<UInt8>?, _ count: Int, _ check: ([UInt8]) throws -> Void
) -> CInt {
    do {
        try check(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError("\(error)")
    }
    return 0
}
