import MartletCore
import MartletRepository
import Synchronization

/// A source in memory that fails when it is told to.
final class ScriptedSource: ModelByteSource {
    private struct State {
        var failures: [StatusCode?]
        var places: [Int] = []
    }

    private let bytes: [UInt8]
    private let tag: String?
    private let location: String
    private let surplus: Int
    private let state: Mutex<State>

    /// Each read ends as `failures` says in turn, with an error or, for `nil`, well; all further
    /// ones end well and give `surplus` bytes more than they were asked for.
    init(
        _ bytes: [UInt8], tag: String? = "v1", failures: [StatusCode?] = [],
        location: String = "https://example.org/tiny.gguf", surplus: Int = 0
    ) {
        self.bytes = bytes
        self.tag = tag
        self.location = location
        self.surplus = surplus
        state = Mutex(State(failures: failures))
    }

    /// Where each read began.
    var places: [Int] { state.withLock { $0.places } }

    func examine() -> ModelOrigin {
        ModelOrigin(location: location, byteCount: bytes.count, tag: tag)
    }

    func read(from place: Int, count: Int, of origin: ModelOrigin) throws -> [UInt8] {
        let failure: StatusCode? = state.withLock { state in
            state.places.append(place)
            return state.failures.isEmpty ? nil : state.failures.removeFirst()
        }
        if let failure { throw ServingError(failure, "scripted") }
        return Array(bytes[place..<(place + count)]) + [UInt8](repeating: 0, count: surplus)
    }
}
