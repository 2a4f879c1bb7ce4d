internal import Synchronization

/// Opens an engine once, for all formats that it loads.
public final class EngineOpener: Sendable {
    private let opener: EngineRegistry.Opener
    private let opened = Mutex<(any Engine)?>(nil)

    /// Creates what opens an engine by a function, which is called until it succeeds once.
    public init(_ opener: @escaping EngineRegistry.Opener) {
        self.opener = opener
    }

    /// The engine; opens it if it is not open.
    ///
    /// - Throws: what opening it does.
    public func engine() throws -> any Engine {
        try opened.withLock { opened in
            if let opened { return opened }
            let engine = try opener()
            opened = engine
            return engine
        }
    }
}
