import Synchronization

/// A value that several threads change, one at a time.
///
/// An object, for a `Mutex` cannot be left out where there is none: the compiler of Swift 6.3 ends
/// an `Optional` of one twice.
final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) {
        self.value = Mutex(value)
    }

    /// Looks at the value, or changes it, while nobody else does.
    func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        value.withLock { body(&$0) }
    }
}
